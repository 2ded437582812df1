using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;

namespace PeftGen.Generators.Tests;

/// <summary>The generator knows no method: what one needs is read from its attribute.</summary>
public class NoMethodNamesTests
{
    [Fact]
    public void NoMethodIsNamedInTheGenerator()
    {
        var methods = typeof(AdaptAttribute).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(AdaptAttribute)) && !t.IsAbstract)
            .Select(t => t.Name.EndsWith("Attribute", StringComparison.Ordinal) ? t.Name[..^"Attribute".Length] : t.Name).ToList();
        Assert.True(methods.Count >= 5, "the library's methods were not found");
        var named = new Regex($@"(?<![A-Za-z])({string.Join("|", methods.Select(Regex.Escape))})(?![a-z])", RegexOptions.IgnoreCase);
        foreach (var file in Sources())
        {
            var lines = File.ReadAllLines(file);
            for (var i = 0; i < lines.Length; i++)
                Assert.False(named.IsMatch(lines[i]), $"{Path.GetFileName(file)}({i + 1}) names a method: {lines[i].Trim()}");
        }
    }

    private static IEnumerable<string> Sources([CallerFilePath] string thisFile = "") =>
        Directory.EnumerateFiles(Path.Combine(Path.GetDirectoryName(thisFile)!, "..", "..", "generators"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Replace('\\', '/').Contains("/obj/", StringComparison.Ordinal));
}
