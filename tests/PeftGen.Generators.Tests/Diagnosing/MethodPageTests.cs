using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>What the pages of methods show compiles as it stands, and gives no error or warning.</summary>
public class MethodPageTests
{
    private static readonly string _folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "..", "docs", "methods"));

    public static TheoryData<string> Pages => [.. Directory.EnumerateFiles(_folder, "*.md").Select(file => Path.GetFileName(file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Pages))]
    public void ExamplesCompile(string page)
    {
        var examples = Regex.Matches(File.ReadAllText(Path.Combine(_folder, page)), @"```csharp\n(?<code>.*?)```", RegexOptions.Singleline);
        Assert.NotEmpty(examples);
        foreach (Match example in examples)
            Assert.DoesNotContain(Generated.From(Project.WithoutMethods([("Model.cs", example.Groups["code"].Value)])).AssertCompiles().Reported, d => d.Severity >= DiagnosticSeverity.Warning);
    }

    private static string ThisFile([CallerFilePath] string file = "") => file;
}
