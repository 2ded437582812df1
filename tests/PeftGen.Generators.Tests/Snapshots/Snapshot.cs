using System.Runtime.CompilerServices;

namespace PeftGen.Generators.Tests;

/// <summary>Compares emitted files with those beside the test, under the names that Verify gives them.</summary>
internal static class Snapshot
{
    /// <summary>Compares each emitted file with <c>Test.Class.verified.cs</c>; where they differ, writes <c>Test.Class.received.cs</c> and fails with the first line.</summary>
    public static void Matches(Generated generated, [CallerFilePath] string testFile = "", [CallerMemberName] string test = "")
    {
        var folder = Path.GetDirectoryName(testFile)!;
        var expected = Directory.EnumerateFiles(folder, $"{test}.*.verified.cs").Select(f => Path.GetFileName(f)!).ToHashSet();
        var differences = new List<string>();
        foreach (var (name, text) in generated.Files)
        {
            var @class = $"{test}.{name[..^".g.cs".Length]}";
            expected.Remove($"{@class}.verified.cs");
            if (Compare(Path.Combine(folder, @class), text) is { } difference)
                differences.Add(difference);
        }

        differences.AddRange(expected.Select(name => $"{name} is no longer emitted"));
        Assert.True(differences.Count == 0, string.Join("\n", differences));
    }

    /// <summary>Compares one text with <c>Name.verified.extension</c>.</summary>
    public static void Matches(string name, string extension, string text, [CallerFilePath] string testFile = "") =>
        Assert.Null(Compare(Path.Combine(Path.GetDirectoryName(testFile)!, name), text, extension));

    private static string? Compare(string file, string received, string extension = "cs")
    {
        var verified = File.Exists($"{file}.verified.{extension}") ? File.ReadAllText($"{file}.verified.{extension}").ReplaceLineEndings("\n") : "";
        if (verified == received)
        {
            File.Delete($"{file}.received.{extension}");
            return null;
        }

        File.WriteAllText($"{file}.received.{extension}", received);
        var (was, now) = (verified.Split('\n'), received.Split('\n'));
        var line = Enumerable.Range(0, Math.Max(was.Length, now.Length)).First(i => i >= was.Length || i >= now.Length || was[i] != now[i]);
        return $"""
            {Path.GetFileName(file)}.verified.{extension} differs from line {line + 1} on:
              verified: {(line < was.Length ? was[line] : "(end)")}
              received: {(line < now.Length ? now[line] : "(end)")}
            If the new text is right, rename {Path.GetFileName(file)}.received.{extension} to .verified.{extension}.
            """;
    }
}
