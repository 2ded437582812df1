using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>Each diagnostic has a page whose wrong example gives it and whose right example does not.</summary>
public class DiagnosticPageTests
{
    private static readonly string _root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", ".."));

    private static readonly Dictionary<string, DiagnosticDescriptor> _descriptors = typeof(PeftGenerator).Assembly.GetType("PeftGen.Generators.Diagnostics.Descriptors")!
        .GetFields().Select(f => f.GetValue(null)).OfType<DiagnosticDescriptor>().ToDictionary(d => d.Id);

    public static TheoryData<string> Ids => [.. _descriptors.Keys];

    [Theory]
    [MemberData(nameof(Ids))]
    public void PageHasAWrongAndARightExample(string id)
    {
        var descriptor = _descriptors[id];
        Assert.EndsWith($"docs/diagnostics/{id}.md", descriptor.HelpLinkUri, StringComparison.Ordinal);
        var page = File.ReadAllText(Path.Combine(_root, "docs", "diagnostics", $"{id}.md"));
        Assert.StartsWith($"# {id}: {descriptor.Title.ToString()}", page, StringComparison.OrdinalIgnoreCase);

        var wrong = Generated.From(Project(page, "Wrong"));
        Assert.NotEmpty(wrong.Reported);
        Assert.All(wrong.Reported, d => Assert.Equal(id, d.Id));
        // Only our diagnostic: the example itself and what is emitted are sound C#.
        Assert.Empty(wrong.CompilerDiagnostics());
        Assert.Empty(Generated.From(Project(page, "Right")).AssertCompiles().Reported);
    }

    /// <summary>What each diagnostic marks in its page's wrong example.</summary>
    [Fact]
    public void EachMarksTheCodeThatItIsAbout() => Snapshot.Matches("Marks", "txt", string.Concat(_descriptors.Keys.Order(StringComparer.Ordinal)
        .SelectMany(id => Generated.From(Project(File.ReadAllText(Path.Combine(_root, "docs", "diagnostics", $"{id}.md")), "Wrong")).Reported)
        .Select(d => $"{d.Id} line {d.Location.GetLineSpan().StartLinePosition.Line + 1} column {d.Location.GetLineSpan().StartLinePosition.Character + 1}: {d.Location.SourceTree!.GetText().ToString(d.Location.SourceSpan)}\n")));

    [Theory]
    [MemberData(nameof(Ids))]
    public void IsSilencedByAPragma(string id)
    {
        if (_descriptors[id].DefaultSeverity == DiagnosticSeverity.Error)
            return;
        var page = File.ReadAllText(Path.Combine(_root, "docs", "diagnostics", $"{id}.md"));
        var project = Project(page.Replace("## Wrong\n\n```csharp\n", $"## Wrong\n\n```csharp\n#pragma warning disable {id}\n", StringComparison.Ordinal), "Wrong");
        Generated.NewDriver().RunGeneratorsAndUpdateCompilation(project.WithOptions(project.Options.WithReportSuppressedDiagnostics(true)), out _, out var reported);
        Assert.NotEmpty(reported);
        Assert.All(reported, d => Assert.True(d.IsSuppressed));
    }

    [Fact]
    public void EveryDiagnosticIsListedForReleases()
    {
        var folder = Path.Combine(_root, "generators", "PeftGen.Generators");
        var listed = Directory.EnumerateFiles(folder, "AnalyzerReleases.*.md").SelectMany(File.ReadAllLines).Where(l => l.StartsWith("PG", StringComparison.Ordinal)).ToList();
        Assert.Equal(_descriptors.Count, listed.Count);
        foreach (var (id, descriptor) in _descriptors)
        {
            var row = Assert.Single(listed, l => l.StartsWith(id, StringComparison.Ordinal)).Split('|').Select(c => c.Trim()).ToArray();
            Assert.Equal([id, descriptor.Category, descriptor.DefaultSeverity.ToString(), descriptor.Title.ToString()], row);
        }
    }

    [Fact]
    public void EveryDiagnosticIsInTheIndex()
    {
        var rows = File.ReadAllLines(Path.Combine(_root, "docs", "diagnostics", "README.md")).Where(l => l.StartsWith("| [PG", StringComparison.Ordinal)).ToList();
        Assert.Equal(_descriptors.Values.OrderBy(d => d.Id, StringComparer.Ordinal).Select(d => $"| [{d.Id}]({d.Id}.md) | {d.DefaultSeverity.ToString().ToLowerInvariant()} | {d.Title.ToString()} |"), rows);
    }

    /// <summary>Tests that the table of forms names are there.</summary>
    [Fact]
    public void FormsNameTestsThatExist()
    {
        var table = File.ReadAllText(Path.Combine(_root, "docs", "forms.md"));
        var names = Regex.Matches(table, @"\b(\w+Tests)\.(\w+)").Select(m => (type: m.Groups[1].Value, method: m.Groups[2].Value)).ToList();
        Assert.True(names.Count > 20);
        foreach (var (type, method) in names)
            Assert.True(typeof(DiagnosticPageTests).Assembly.GetTypes().Single(t => t.Name == type).GetMethod(method) is not null, $"{type}.{method}");
    }

    private static Microsoft.CodeAnalysis.CSharp.CSharpCompilation Project(string page, string heading)
    {
        var example = Example(page, heading) ?? throw new InvalidOperationException($"no example under {heading}");
        var version = Regex.Match(example, "<LangVersion>(.+?)</LangVersion>");
        var project = version.Success ? Tests.Project.WithoutMethods([("Model.cs", example)], version.Groups[1].Value) : Tests.Project.Of(example);
        return Example(page, "Another assembly") is { } other ? project.AddReferences(Tests.Project.Library(other)) : project;
    }

    private static string? Example(string page, string heading) =>
        Regex.Match(page, $@"^## {heading}\s*```csharp\s(.*?)```", RegexOptions.Multiline | RegexOptions.Singleline) is { Success: true } match ? match.Groups[1].Value : null;

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
