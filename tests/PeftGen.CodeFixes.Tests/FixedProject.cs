using System.Collections.Immutable;
using Basic.Reference.Assemblies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using PeftGen.Generators;

namespace PeftGen.CodeFixes.Tests;

/// <summary>A user's project in a workspace, and what fixes make of it.</summary>
internal sealed class FixedProject : IDisposable
{
    private readonly AdhocWorkspace _workspace = new();
    private Project _project;

    public FixedProject(params string[] files)
    {
        _project = _workspace.AddProject("UserProject", LanguageNames.CSharp)
            .WithParseOptions(new CSharpParseOptions(LanguageVersion.Preview))
            .WithCompilationOptions(new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable))
            .AddMetadataReferences(Net100.References.All)
            .AddMetadataReference(MetadataReference.CreateFromFile(typeof(TorchSharp.torch).Assembly.Location))
            .AddMetadataReference(MetadataReference.CreateFromFile(typeof(AdaptAttribute).Assembly.Location));
        foreach (var name in new[] { "GlobalUsings.cs", "TestMethods.cs" })
        {
            using var reader = new StreamReader(typeof(FixedProject).Assembly.GetManifestResourceStream(name)!);
            Add(name, reader.ReadToEnd());
        }

        for (var i = 0; i < files.Length; i++)
            Add(NameOf(i), files[i]);
    }

    public void Dispose() => _workspace.Dispose();

    /// <summary>The text of a file as it is now.</summary>
    public async Task<string> TextAsync(int file = 0) => (await _project.Documents.Single(d => d.Name == NameOf(file)).GetTextAsync()).ToString();

    /// <summary>What the generator reports now.</summary>
    public async Task<ImmutableArray<Diagnostic>> ReportedAsync()
    {
        var compilation = (await _project.GetCompilationAsync())!;
        CSharpGeneratorDriver.Create([new PeftGenerator().AsSourceGenerator()], parseOptions: (CSharpParseOptions)_project.ParseOptions!)
            .RunGeneratorsAndUpdateCompilation(compilation, out _, out var reported);
        return [.. reported.OrderBy(d => d.Location.SourceTree!.FilePath, StringComparer.Ordinal).ThenBy(d => d.Location.SourceSpan.Start)];
    }

    /// <summary>The fixes offered for the first diagnostic of an id.</summary>
    public async Task<List<CodeAction>> OfferedAsync(CodeFixProvider fix)
    {
        var diagnostic = (await ReportedAsync()).First(d => fix.FixableDiagnosticIds.Contains(d.Id));
        var actions = new List<CodeAction>();
        await fix.RegisterCodeFixesAsync(new CodeFixContext(DocumentOf(diagnostic), diagnostic, (action, _) => actions.Add(action), default));
        return actions;
    }

    /// <summary>Applies one of the fixes offered for the first diagnostic.</summary>
    public async Task ApplyAsync(CodeFixProvider fix, string title) =>
        await ApplyAsync(Assert.Single(await OfferedAsync(fix), action => action.Title == title));

    /// <summary>Applies a fix to all diagnostics in a scope, seen from the first.</summary>
    public async Task ApplyToAllAsync(CodeFixProvider fix, FixAllScope scope)
    {
        var reported = (await ReportedAsync()).Where(d => fix.FixableDiagnosticIds.Contains(d.Id)).ToList();
        var key = (await OfferedAsync(fix))[0].EquivalenceKey!;
        var context = new FixAllContext(DocumentOf(reported[0]), fix, scope, key, fix.FixableDiagnosticIds, new Given(reported), default);
        await ApplyAsync((await fix.GetFixAllProvider()!.GetFixAsync(context))!);
    }

    private static string NameOf(int file) => file == 0 ? "Model.cs" : $"Model{file}.cs";

    private void Add(string name, string text) => _project = _project.AddDocument(name, text, filePath: name).Project;

    private Document DocumentOf(Diagnostic diagnostic) => _project.GetDocument(diagnostic.Location.SourceTree)!;

    private async Task ApplyAsync(CodeAction action)
    {
        var change = Assert.IsType<ApplyChangesOperation>(Assert.Single(await action.GetOperationsAsync(default)));
        _project = change.ChangedSolution.GetProject(_project.Id)!;
    }

    private sealed class Given(List<Diagnostic> diagnostics) : FixAllContext.DiagnosticProvider
    {
        public override Task<IEnumerable<Diagnostic>> GetAllDiagnosticsAsync(Project project, CancellationToken cancellationToken) =>
            Task.FromResult<IEnumerable<Diagnostic>>(diagnostics);

        public override async Task<IEnumerable<Diagnostic>> GetDocumentDiagnosticsAsync(Document document, CancellationToken cancellationToken)
        {
            var tree = await document.GetSyntaxTreeAsync(cancellationToken);
            return diagnostics.Where(d => d.Location.SourceTree == tree);
        }

        public override Task<IEnumerable<Diagnostic>> GetProjectDiagnosticsAsync(Project project, CancellationToken cancellationToken) =>
            Task.FromResult<IEnumerable<Diagnostic>>([]);
    }
}
