using System.Collections.Immutable;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using PeftGen.Generators.Diagnostics;

namespace PeftGen.Generators;

/// <summary>
/// Reports what the generator found where an editor or <c>dotnet format</c> has loaded the project: they offer fixes for what analyzers report. Nothing is parsed again; in a build
/// the generator hands nothing over, and reports itself.
/// </summary>
[DiagnosticAnalyzer(LanguageNames.CSharp)]
public sealed class DiagnosticsInEditors : DiagnosticAnalyzer
{
    /// <inheritdoc/>
    public override ImmutableArray<DiagnosticDescriptor> SupportedDiagnostics { get; } = [.. Descriptors.All];

    /// <inheritdoc/>
    public override void Initialize(AnalysisContext context)
    {
        context.ConfigureGeneratedCodeAnalysis(GeneratedCodeAnalysisFlags.Analyze | GeneratedCodeAnalysisFlags.ReportDiagnostics);
        context.EnableConcurrentExecution();
        context.RegisterCompilationStartAction(static start =>
        {
            var found = HandedDiagnostics.Read(start.Compilation, start.CancellationToken).ToLookup(diagnostic => diagnostic.File);
            // File by file, so that editors show them while somebody types.
            if (found.Count > 0)
                start.RegisterSemanticModelAction(file =>
                {
                    foreach (var diagnostic in found[file.SemanticModel.SyntaxTree.FilePath])
                        file.ReportDiagnostic(ReportedDiagnostics.Of(diagnostic, file.SemanticModel.Compilation));
                });
        });
    }
}
