using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>What the pages of methods show as a whole file, beginning with its usings, compiles as it stands and gives no error or warning.</summary>
public class MethodPageTests
{
    private static readonly string _folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "..", "docs", "methods"));

    public static TheoryData<string> Pages => [.. Directory.EnumerateFiles(_folder, "*.md").Where(file => Examples(file).Count > 0).Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void ExamplesCompile(string page)
    {
        foreach (Match example in Examples(Path.Combine(_folder, page)))
            Assert.DoesNotContain(Generated.From(Project.WithoutMethods([("Model.cs", example.Groups["code"].Value)])).AssertCompiles().Reported, d => d.Severity >= DiagnosticSeverity.Warning);
    }

    [Fact]
    public void TheListShowsEveryMethod()
    {
        var page = File.ReadAllText(Path.Combine(_folder, "README.md"));
        var methods = typeof(AdaptAttribute).Assembly.GetExportedTypes().Where(t => t.IsSubclassOf(typeof(AdaptAttribute)) && !t.IsAbstract).Select(t => t.Name).ToList();
        Assert.NotEmpty(methods);
        Assert.All(methods, method => Assert.Matches($@"\n\[{method}\b", page));
    }

    private static MatchCollection Examples(string file) => Regex.Matches(File.ReadAllText(file), @"```csharp\n(?<code>using PeftGen;.*?)```", RegexOptions.Singleline);

    private static string ThisFile([CallerFilePath] string file = "") => file;
}
