using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>A project with what the generator made of it.</summary>
internal sealed class Generated
{
    private Generated(Compilation compilation, ImmutableArray<Diagnostic> reported, GeneratorRunResult result)
    {
        Compilation = compilation;
        Reported = [.. reported.OrderBy(d => d.Location.GetLineSpan().Path, StringComparer.Ordinal).ThenBy(d => d.Location.SourceSpan.Start).ThenBy(d => d.Id, StringComparer.Ordinal)];
        Files = result.GeneratedSources.ToImmutableSortedDictionary(s => s.HintName, s => s.SourceText.ToString(), StringComparer.Ordinal);
        Assert.Null(result.Exception);
    }

    /// <summary>The project with the emitted files.</summary>
    public Compilation Compilation { get; }

    /// <summary>What the generator reported, in the order of the code.</summary>
    public ImmutableArray<Diagnostic> Reported { get; }

    /// <summary>The emitted files by name.</summary>
    public ImmutableSortedDictionary<string, string> Files { get; }

    public static Generated From(CSharpCompilation project)
    {
        var driver = NewDriver().WithUpdatedParseOptions(project.SyntaxTrees[0].Options).RunGeneratorsAndUpdateCompilation(project, out var compilation, out var reported);
        return new Generated(compilation, reported, driver.GetRunResult().Results.Single());
    }

    public static Generated From(string model) => From(Project.Of(model));

    public static GeneratorDriver NewDriver(bool trackSteps = false) => CSharpGeneratorDriver.Create(
        [new PeftGenerator().AsSourceGenerator()],
        parseOptions: Project.ParseOptions,
        driverOptions: new GeneratorDriverOptions(IncrementalGeneratorOutputKind.None, trackSteps));

    /// <summary>What the C# compiler finds in the project with the emitted files; warnings count, as in projects that treat them as errors.</summary>
    public ImmutableArray<Diagnostic> CompilerDiagnostics() => [.. Compilation.GetDiagnostics().Where(d => d.Severity >= DiagnosticSeverity.Warning)];

    /// <summary>Fails with the first mistakes unless the generator and the compiler are content.</summary>
    public Generated AssertCompiles()
    {
        var wrong = Reported.Where(d => d.Severity == DiagnosticSeverity.Error).Concat(CompilerDiagnostics()).ToList();
        Assert.True(wrong.Count == 0, $"{string.Join("\n", wrong.Take(10))}\n\n{string.Join("\n", Files.Values)}");
        return this;
    }
}
