using System.Diagnostics.CodeAnalysis;
using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>Users silence and raise the generator's diagnostics as they do the compiler's.</summary>
public class SuppressionTests
{
    // 'q' is a role, which PG011 (information) explains.
    private const string Model = """
        [Scale(targets: "q")]
        public partial class Net : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4);

            public Net() : base("net") => RegisterComponents();

            public override Tensor forward(Tensor x) => q_proj.forward(x);
        }
        """;

    [Fact]
    public void PragmaSilencesInItsFileAlone()
    {
        Assert.Equal([false], Suppressed(Model));
        Assert.Equal([true], Suppressed("#pragma warning disable PG011\n" + Model));
        Assert.Equal([false], Suppressed("#pragma warning disable PG001\n" + Model));
        Assert.Equal([false], Suppressed("#pragma warning disable PG011\n#pragma warning restore PG011\n" + Model));
    }

    [Theory]
    [InlineData(ReportDiagnostic.Error, DiagnosticSeverity.Error)]
    [InlineData(ReportDiagnostic.Warn, DiagnosticSeverity.Warning)]
    [InlineData(ReportDiagnostic.Hidden, DiagnosticSeverity.Hidden)]
    public void EditorConfigSetsTheSeverity(ReportDiagnostic configured, DiagnosticSeverity expected) =>
        Assert.Equal([expected], Run(Model, new Severities("Model.cs", "PG011", configured)).Select(d => d.Severity));

    [Fact]
    public void EditorConfigSilences()
    {
        Assert.Empty(Run(Model, new Severities("Model.cs", "PG011", ReportDiagnostic.Suppress)));
        Assert.Single(Run(Model, new Severities("Other.cs", "PG011", ReportDiagnostic.Suppress)));
    }

    private static IEnumerable<bool> Suppressed(string model) => Run(model, null).Select(d => d.IsSuppressed);

    private static List<Diagnostic> Run(string model, SyntaxTreeOptionsProvider? severities)
    {
        var project = Project.Of(model);
        project = project.WithOptions(project.Options.WithReportSuppressedDiagnostics(true).WithSyntaxTreeOptionsProvider(severities));
        Generated.NewDriver().RunGeneratorsAndUpdateCompilation(project, out _, out var reported);
        return [.. reported.Where(d => d.Id == "PG011")];
    }

    /// <summary>What <c>dotnet_diagnostic.ID.severity</c> in a section of .editorconfig comes to.</summary>
    private sealed class Severities(string path, string id, ReportDiagnostic severity) : SyntaxTreeOptionsProvider
    {
        public override GeneratedKind IsGenerated(SyntaxTree tree, CancellationToken cancellationToken) => GeneratedKind.Unknown;

        public override bool TryGetDiagnosticValue(SyntaxTree tree, string diagnosticId, CancellationToken cancellationToken, [NotNullWhen(true)] out ReportDiagnostic value)
        {
            value = severity;
            return tree.FilePath == path && diagnosticId == id;
        }

        public override bool TryGetGlobalDiagnosticValue(string diagnosticId, CancellationToken cancellationToken, [NotNullWhen(true)] out ReportDiagnostic value)
        {
            value = default;
            return false;
        }
    }
}
