using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Flow;
using PeftGen.Generators.Leaving;

namespace PeftGen.Generators.Parsing;

/// <summary>Finds in the methods of a class what may have to be rewritten. Each class is bound once.</summary>
internal sealed class BodyScanner(ModelGraph graph, CancellationToken cancel)
{
    private readonly Dictionary<ModelClass, IReadOnlyList<MethodScan>> _scans = [];
    private readonly Dictionary<IMethodSymbol, List<Use>> _members = new(SymbolEqualityComparer.Default);
    private LeavingScanner? _leaving;
    private readonly Dictionary<SyntaxTree, SemanticModel> _models = [];
    private readonly Dictionary<ModelClass, List<OtherSum>> _otherSums = [];
    private readonly Dictionary<ModelClass, List<OtherAttention>> _otherAttentions = [];
    private ModuleNatures? _natures;

    /// <summary>What leaves the code of classes.</summary>
    public LeavingScanner Leaving => _leaving ??= new LeavingScanner(graph, ModelOf, cancel);

    public IReadOnlyList<MethodScan> Scan(ModelClass type)
    {
        if (_scans.TryGetValue(type, out var scans))
            return scans;
        var found = new List<MethodScan>();
        foreach (var method in SourceOrder.MembersOf<IMethodSymbol>(type.Symbol).Where(m => m.MethodKind == MethodKind.Ordinary))
            foreach (var reference in (method.PartialImplementationPart ?? method).DeclaringSyntaxReferences)
                if (reference.GetSyntax(cancel) is MethodDeclarationSyntax syntax && (syntax.Body is not null || syntax.ExpressionBody is not null || method.IsAbstract))
                    found.Add(new MethodScan(type, method, syntax, DefinitionOf(method, syntax), [.. ScanBody(type, (SyntaxNode?)syntax.Body ?? syntax.ExpressionBody), .. Leaving.Of(type, syntax)]));
        return _scans[type] = found;
    }

    // Of a partial method the defining part has the default values.
    private MethodDeclarationSyntax DefinitionOf(IMethodSymbol method, MethodDeclarationSyntax syntax) =>
        method.PartialImplementationPart is null ? syntax : (MethodDeclarationSyntax)method.DeclaringSyntaxReferences[0].GetSyntax(cancel);

    /// <summary>What stands in a member of a class for which there is no overload: an accessor, an operator; empty for automatic ones.</summary>
    public IReadOnlyList<Use> ScanMember(ModelClass type, IMethodSymbol member)
    {
        if (_members.TryGetValue(member, out var uses))
            return uses;
        // Known before it is scanned: a getter may read itself.
        _members[member] = uses = [];
        foreach (var syntax in member.DeclaringSyntaxReferences.Select(r => r.GetSyntax(cancel)))
            if (syntax switch
            {
                AccessorDeclarationSyntax accessor => (SyntaxNode?)accessor.Body ?? accessor.ExpressionBody,
                BaseMethodDeclarationSyntax method => (SyntaxNode?)method.Body ?? method.ExpressionBody,
                ArrowExpressionClauseSyntax arrow => arrow,
                _ => null,
            } is { } body)
                uses.AddRange([.. ScanBody(type, body), .. Leaving.Of(type, syntax)]);
        return uses;
    }

    /// <summary>What stands in code of a class that is no method.</summary>
    public IReadOnlyList<Use> ScanOther(ModelClass type, SyntaxNode body) => ScanBody(type, body);

    /// <summary>The class in whose module forward the output of a class is returned; null where that is no single tensor, or another assembly's.</summary>
    public ModelClass? OutputOf(ModelClass type) =>
        type.Lineage.SelectMany(Scan).FirstOrDefault(scan => graph.Known.IsModuleForward(scan.Symbol)) is { } forward
        && !forward.Symbol.IsAbstract && graph.Known.IsTensor(forward.Symbol.ReturnType) ? forward.Type : null;

    /// <summary>The residuals in a class's own code, each with the path, relative to the class, of the sub-layer whose output meets it: empty where the class itself is that.</summary>
    public IEnumerable<(ResidualUse use, string path)> ResidualsOf(ModelClass type)
    {
        var residuals = Scan(type).SelectMany(method => method.Uses).OfType<ResidualUse>().ToList();
        // A class that ends in one linear layer and adds the residual itself is the sub-layer, as BERT's outputs are.
        var isSubLayer = residuals.Count(EndsInLayer) == 1 && residuals.All(use => use.Producer.Count == 0 || EndsInLayer(use));
        return residuals.Select(use => (use, isSubLayer && EndsInLayer(use) ? "" : string.Join(".", use.Producer.Select(link => link.child.Path))));
    }

    /// <summary>The sums in a class's own code that are no residuals.</summary>
    public IReadOnlyList<OtherSum> OtherSumsOf(ModelClass type)
    {
        Scan(type);
        return _otherSums.TryGetValue(type, out var others) ? others : [];
    }

    /// <summary>What looks like attention in a class's own code and cannot be followed.</summary>
    public IReadOnlyList<OtherAttention> OtherAttentionsOf(ModelClass type)
    {
        Scan(type);
        return _otherAttentions.TryGetValue(type, out var others) ? others : [];
    }

    private static bool EndsInLayer(ResidualUse use) => use.Producer.Count > 0 && use.Producer[use.Producer.Count - 1].child.Shape == ChildShape.BuiltIn;

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
        var calls = new CallScanner(graph, type, model, new ReceiverFinder(graph, type, model, cancel), cancel);
        var values = new ValueScanner(graph, type, model, new ReceiverFinder(graph, type, model, cancel), cancel);
        foreach (var node in body.DescendantNodes())
            if ((node is InvocationExpressionSyntax call ? calls.Scan(call) : node is IdentifierNameSyntax name ? values.Scan(name) : null) is { } use)
                uses.Add(use);
        // What the user marks is not found a second time where it is used.
        var isMarked = uses.Any(use => use is AttentionUse { Input: null });
        if (isMarked)
            uses.RemoveAll(use => use is AttentionUse { Input: not null });
        var mayAdd = uses.Any(use => use is ResidualUse) || (uses.Any(use => use is LayerUse or NodeUse) && Sum.MayBeIn(body));
        var mayAttend = !isMarked && AttentionFinder.MayBeIn(body);
        if ((!mayAdd && !mayAttend) || BodyFlow.Of(body, model, cancel) is not { } flow)
            return uses;
        _natures ??= new ModuleNatures(graph, ModelOf, cancel);
        if (mayAttend)
            AddAttentions(type, body, model, flow, uses);
        if (!mayAdd)
            return InOrder(uses);
        var finder = new ResidualFinder(graph.Known, _natures, uses);
        var all = finder.AddTo(flow);
        (_otherSums.TryGetValue(type, out var others) ? others : _otherSums[type] = []).AddRange(finder.Others);
        return InOrder(all);
    }

    private void AddAttentions(ModelClass type, SyntaxNode body, SemanticModel model, BodyFlow flow, List<Use> uses)
    {
        var finder = new AttentionFinder(flow, graph.Known, _natures!, uses.GroupBy(u => (SyntaxNode)u.Node).ToDictionary(g => g.Key, g => g.First()));
        var method = body.Parent as MethodDeclarationSyntax;
        uses.AddRange(finder.Find(method, method is null ? null : model.GetDeclaredSymbol(method, cancel)).ToList());
        (_otherAttentions.TryGetValue(type, out var others) ? others : _otherAttentions[type] = []).AddRange(finder.Others);
    }

    /// <summary>In the order of the text, an outer one before what lies in it.</summary>
    private static List<Use> InOrder(List<Use> uses) => [.. uses.OrderBy(use => use.Node.SpanStart).ThenByDescending(use => use.Node.Span.End)];
}
