using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Diagnostics;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Diagnostics;
using PeftGen.Generators.Emission;
using PeftGen.Generators.Outlining;

namespace PeftGen.Generators;

/// <summary>Compiles declared adaptation into the model's classes.</summary>
[Generator(LanguageNames.CSharp)]
public sealed class PeftGenerator : IIncrementalGenerator
{
    // Without the mark at the start of files, which few editors of emitted code expect.
    private static readonly System.Text.Encoding _utf8 = new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: false);

    /// <summary>The step that reads what each file says to the others.</summary>
    public const string OutlinesStep = "Outlines";

    /// <summary>The step that an edit passes only if it can have to do with a model.</summary>
    public const string ProjectStep = "Project";

    /// <summary>The step that binds the models and rewrites their bodies.</summary>
    public const string ModelsStep = "Models";

    /// <summary>The step with one value for each class that is emitted.</summary>
    public const string ClassesStep = "Classes";

    /// <summary>The step with the diagnostics.</summary>
    public const string DiagnosticsStep = "Diagnostics";

    /// <inheritdoc/>
    public void Initialize(IncrementalGeneratorInitializationContext context)
    {
        var files = context.CompilationProvider.SelectMany(static (compilation, _) => compilation.SyntaxTrees)
            .Select(static (tree, cancel) => new FileOutline(tree, cancel)).WithTrackingName(OutlinesStep);

        // What a class compiles to depends on every root that reaches it, so the models are parsed together: anew only if an edit can have to do with them.
        var reports = context.AnalyzerConfigOptionsProvider.Select(static (options, _) => (asked: Property(options, "PeftGenReport") == "true", folder: Property(options, "ProjectDir")));
        var models = files.Collect().Combine(context.CompilationProvider).Combine(reports.Select(static (report, _) => report.asked))
            .Select(static (pair, _) => new Project(pair.Left.Left, pair.Left.Right, pair.Right)).WithComparer(SameModels.Comparer).WithTrackingName(ProjectStep)
            .Select(static (project, cancel) => project.Parse(cancel)).WithTrackingName(ModelsStep);

        var classes = models.SelectMany(static (result, _) => result.Classes).WithTrackingName(ClassesStep);
        context.RegisterSourceOutput(classes, static (output, model) => output.AddSource(model.HintName, SourceText.From(ClassEmitter.Emit(model), _utf8)));

        var linears = models.SelectMany(static (result, _) => result.Linears);
        context.RegisterSourceOutput(linears, static (output, model) => output.AddSource(model.HintName, SourceText.From(LinearEmitter.Emit(model), _utf8)));

        // A generator may not write files, so the report leaves as C# comments; build/Report.targets makes a Markdown file of them.
        var report = models.SelectMany(static (result, _) => result.Report is { } asked ? new[] { asked } : []).Combine(reports.Select(static (report, _) => report.folder));
        context.RegisterSourceOutput(report, static (output, pair) => output.AddSource(ReportEmitter.HintName, SourceText.From(ReportEmitter.Emit(pair.Left, pair.Right), _utf8)));

        // Diagnostics leave by an output of their own, with locations in real syntax trees, so that #pragma and severities work. Editors take them from an analyzer.
        var diagnostics = models.Select(static (result, _) => result.Diagnostics).WithTrackingName(DiagnosticsStep);
        var isEditing = context.AnalyzerConfigOptionsProvider.Select(static (options, _) => Property(options, "DesignTimeBuild") == "true");
        context.RegisterSourceOutput(diagnostics.Combine(context.CompilationProvider).Combine(isEditing), static (output, pair) =>
        {
            foreach (var diagnostic in pair.Right ? default : pair.Left.Left)
                output.ReportDiagnostic(ReportedDiagnostics.Of(diagnostic, pair.Left.Right));
        });
        context.RegisterSourceOutput(diagnostics.Combine(isEditing), static (output, pair) =>
        {
            if (pair.Right && pair.Left.Count > 0)
                output.AddSource(HandedDiagnostics.HintName, SourceText.From(HandedDiagnostics.Write(pair.Left), _utf8));
        });
    }

    private static string Property(AnalyzerConfigOptionsProvider options, string name) => options.GlobalOptions.TryGetValue("build_property." + name, out var value) ? value : "";
}
