using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using PeftGen.Generators;
using PeftGen.RealCode.Trials;

namespace PeftGen.RealCode;

/// <summary>Makes each module class of a project a root, one after the other.</summary>
internal static class ProjectRun
{
    private static readonly IReadOnlyList<MetadataReference> _references =
    [
        .. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator)
            .Where(path => !Path.GetFileName(path).StartsWith("PeftGen.", StringComparison.Ordinal) && !Path.GetFileName(path).StartsWith("Microsoft.CodeAnalysis", StringComparison.Ordinal))
            .Select(path => MetadataReference.CreateFromFile(path)),
        MetadataReference.CreateFromFile(typeof(AdaptAttribute).Assembly.Location),
    ];

    /// <summary>Compiles a project once without a root and once for each module class, and tries what compiles.</summary>
    /// <param name="project">The project.</param>
    /// <param name="attribute">The attribute that makes a class a root.</param>
    /// <param name="skip">How many classes to leave out: they were measured before.</param>
    /// <param name="prepared">Told the errors that the code has without PeftGen.</param>
    /// <param name="begins">Told the name of each class.</param>
    /// <param name="done">Told the result of each class.</param>
    public static void Run(SourceProject project, string attribute, int skip, Action<int, string?> prepared, Action<string> begins, Action<ClassResult> done)
    {
        var plain = CSharpCompilation.Create("RealCode", project.Trees, _references, project.Options);
        var compilation = ModuleClasses.MakePartial(plain);
        var classes = ModuleClasses.Find(compilation).Where(c => project.Own.Contains(c.Declaration.SyntaxTree.FilePath)).ToList();
        if (classes.Count == 0)
            return;
        var baseline = Errors(compilation).SelectMany(Keys).ToHashSet();
        prepared(Errors(compilation).Count(), project.Note);
        var sound = TrialRun.Sound(compilation);
        foreach (var root in classes.Skip(skip))
        {
            begins(root.Name);
            var result = RunRoot(compilation, root, attribute, baseline, out var compiled);
            if (result.Outcome == Outcome.Compiled)
                result = result with { Trial = TrialRun.Of(sound == compilation ? compiled : TrialRun.Compile(sound, root.Name, attribute), root.Name) };
            done(result);
        }
    }

    private static ClassResult RunRoot(CSharpCompilation compilation, ModuleClass root, string attribute, HashSet<string> baseline, out Compilation updated)
    {
        var annotated = ModuleClasses.Annotate(compilation, root, attribute);
        var parse = (CSharpParseOptions)root.Declaration.SyntaxTree.Options;
        var driver = CSharpGeneratorDriver.Create([new PeftGenerator().AsSourceGenerator()], parseOptions: parse)
            .RunGeneratorsAndUpdateCompilation(annotated, out updated, out var reported);
        var result = driver.GetRunResult().Results.Single();
        var findings = reported.Where(d => d.Severity >= DiagnosticSeverity.Warning && d.Id.StartsWith("PG", StringComparison.Ordinal)).Select(d => Finding.Of(d, d.Id, d.Severity == DiagnosticSeverity.Error)).ToList();
        if (result.Exception is { } exception)
            findings.Add(new Finding("exception", root.Name, $"{exception.GetType().Name}: {exception.Message} {exception.StackTrace?.Split('\n').FirstOrDefault()?.Trim()}", true));
        // Errors that the code has without PeftGen are not PeftGen's, also not where a copied body or using repeats them.
        findings.AddRange(Errors(updated).Where(d => !Keys(d).Any(baseline.Contains)).Select(d => Finding.Of(d, "C# " + d.Id, true)));
        return new ClassResult(root.Name, root.Parts, result.GeneratedSources.IsDefault ? 0 : result.GeneratedSources.Length, findings);
    }

    private static IEnumerable<Diagnostic> Errors(Compilation compilation) => compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error);

    /// <summary>An error is known by its line and, where a package is missing, by the name that is not found.</summary>
    private static IEnumerable<string> Keys(Diagnostic error)
    {
        var at = error.Location.GetMappedLineSpan();
        yield return $"{error.Id} {at.Path}:{at.StartLinePosition.Line}";
        if (error.Id is "CS0234" or "CS0246")
            yield return $"{error.Id} {error.GetMessage()}";
    }
}
