using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Finds in the methods of a class what may have to be rewritten. Each class is bound once.</summary>
internal sealed class BodyScanner(ModelGraph graph, CancellationToken cancel)
{
    private readonly Dictionary<ModelClass, IReadOnlyList<MethodScan>> _scans = [];
    private readonly Dictionary<IPropertySymbol, List<Use>> _getters = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<SyntaxTree, SemanticModel> _models = [];

    public IReadOnlyList<MethodScan> Scan(ModelClass type)
    {
        if (_scans.TryGetValue(type, out var scans))
            return scans;
        var found = new List<MethodScan>();
        foreach (var method in SourceOrder.MembersOf<IMethodSymbol>(type.Symbol).Where(m => m.MethodKind == MethodKind.Ordinary))
            foreach (var reference in (method.PartialImplementationPart ?? method).DeclaringSyntaxReferences)
                if (reference.GetSyntax(cancel) is MethodDeclarationSyntax syntax && (syntax.Body is not null || syntax.ExpressionBody is not null || method.IsAbstract))
                    found.Add(new MethodScan(type, method, syntax, DefinitionOf(method, syntax), ScanBody(type, (SyntaxNode?)syntax.Body ?? syntax.ExpressionBody)));
        return _scans[type] = found;
    }

    // Of a partial method the defining part has the default values.
    private MethodDeclarationSyntax DefinitionOf(IMethodSymbol method, MethodDeclarationSyntax syntax) =>
        method.PartialImplementationPart is null ? syntax : (MethodDeclarationSyntax)method.DeclaringSyntaxReferences[0].GetSyntax(cancel);

    /// <summary>What stands in the getter of a property; empty for automatic ones.</summary>
    public IReadOnlyList<Use> ScanGetter(ModelClass type, IPropertySymbol property)
    {
        if (_getters.TryGetValue(property, out var uses))
            return uses;
        // Known before it is scanned: a getter may read itself.
        _getters[property] = uses = [];
        foreach (var reference in property.DeclaringSyntaxReferences)
            if (reference.GetSyntax(cancel) is BasePropertyDeclarationSyntax syntax)
                uses.AddRange(ScanBody(type, (syntax as PropertyDeclarationSyntax)?.ExpressionBody
                    ?? (SyntaxNode?)syntax.AccessorList?.Accessors.FirstOrDefault(a => a.IsKind(SyntaxKind.GetAccessorDeclaration))));
        return uses;
    }

    /// <summary>What stands in code of a class that is no method.</summary>
    public IReadOnlyList<Use> ScanOther(ModelClass type, SyntaxNode body) => ScanBody(type, body);

    /// <summary>Whether a class holds a site that stands in a body.</summary>
    public bool HasBodySite(ModelClass type, SiteKind kind) =>
        Scan(type).Any(method => method.Uses.Any(use => kind switch
        {
            SiteKind.Residual => use is ResidualUse,
            SiteKind.Attention => use is AttentionUse,
            _ => false,
        }));

    /// <summary>The meaning of a file. Nobody here asks what may be null, and to find out would double the time.</summary>
    public SemanticModel ModelOf(SyntaxTree tree)
    {
        graph.Read.Add(tree);
        if (!_models.TryGetValue(tree, out var model))
#pragma warning disable RSEXPERIMENTAL001 // The option is the compiler's since 4.9, and has not changed since.
            _models[tree] = model = graph.Compilation.GetSemanticModel(tree, SemanticModelOptions.DisableNullableAnalysis);
#pragma warning restore RSEXPERIMENTAL001
        return model;
    }

    private List<Use> ScanBody(ModelClass type, SyntaxNode? body)
    {
        cancel.ThrowIfCancellationRequested();
        var uses = new List<Use>();
        if (body is null)
            return uses;
        var model = ModelOf(body.SyntaxTree);
        var calls = new CallScanner(graph, type, ModelOf, model, new ReceiverFinder(graph, type, model, cancel), cancel);
        var values = new ValueScanner(graph, type, model, new ReceiverFinder(graph, type, model, cancel), cancel);
        foreach (var node in body.DescendantNodes())
            if ((node is InvocationExpressionSyntax call ? calls.Scan(call) : node is IdentifierNameSyntax name ? values.Scan(name) : null) is { } use)
                uses.Add(use);
        return uses;
    }
}
