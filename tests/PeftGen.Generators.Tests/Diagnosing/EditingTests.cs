using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Diagnostics;

namespace PeftGen.Generators.Tests;

/// <summary>Where an editor or <c>dotnet format</c> loads a project, an analyzer reports what the generator found, once.</summary>
public class EditingTests
{
    private const string Model = """
        [Scale(1, "q_porj,v_proj")]
        public class Model : Module<Tensor, Tensor>
        {
            private readonly Linear QPorj = Linear(4, 4), v_proj = Linear(4, 4);
            public Model() : base("mo|del ü%20") => RegisterComponents();
            public override Tensor forward(Tensor x) => v_proj.forward(QPorj.forward(x));
        }
        """;

    [Fact]
    public async Task TheAnalyzerReportsWhatTheGeneratorDoesInABuild()
    {
        var inBuild = Generated.From(Model).Reported;
        Assert.Equal(["PG001", "PG004"], inBuild.Select(d => d.Id));

        var (reported, analyzed) = await EditAsync(Model);
        Assert.Empty(reported);
        Assert.Equal(inBuild.Select(Describe), analyzed.OrderBy(d => d.Location.SourceSpan.Start).Select(Describe));
    }

    [Fact]
    public async Task ASoundProjectHasNothingHandedOver()
    {
        var (reported, analyzed) = await EditAsync(Model.Replace("public class", "public partial class", StringComparison.Ordinal).Replace("q_porj", "QPorj", StringComparison.Ordinal));
        Assert.Empty(reported);
        Assert.Empty(analyzed);
    }

    /// <summary>In a build the analyzer is silent.</summary>
    [Fact]
    public async Task NothingIsReportedTwice() =>
        Assert.Empty(await Generated.From(Model).Compilation.WithAnalyzers([new DiagnosticsInEditors()]).GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken));

    private static async Task<(IReadOnlyList<Diagnostic> reported, IReadOnlyList<Diagnostic> analyzed)> EditAsync(string model)
    {
        CSharpGeneratorDriver.Create([new PeftGenerator().AsSourceGenerator()], parseOptions: Project.ParseOptions, optionsProvider: new Editor())
            .RunGeneratorsAndUpdateCompilation(Project.Of(model), out var compilation, out var reported, TestContext.Current.CancellationToken);
        return (reported, await compilation.WithAnalyzers([new DiagnosticsInEditors()]).GetAnalyzerDiagnosticsAsync(TestContext.Current.CancellationToken));
    }

    private static string Describe(Diagnostic d) => $"{d.Id} {d.Severity} {d.Location} {d.GetMessage(null)} {string.Join(" ", d.AdditionalLocations)} "
        + string.Join(" ", d.Properties.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}"));

    private sealed class Editor : AnalyzerConfigOptionsProvider
    {
        public override AnalyzerConfigOptions GlobalOptions { get; } = new Values();

        public override AnalyzerConfigOptions GetOptions(SyntaxTree tree) => GlobalOptions;

        public override AnalyzerConfigOptions GetOptions(AdditionalText textFile) => GlobalOptions;
    }

    private sealed class Values : AnalyzerConfigOptions
    {
        public override bool TryGetValue(string key, [NotNullWhen(true)] out string? value) => (value = key == "build_property.DesignTimeBuild" ? "true" : null) is not null;
    }
}
