using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>Finds where modules leave the code of their classes.</summary>
internal sealed class LeavingScanner(ModelGraph graph, Func<SyntaxTree, SemanticModel> models, CancellationToken cancel)
{
    private readonly FlowContext _flow = new(graph, models, cancel);
    private readonly Dictionary<ModelClass, Dictionary<ISymbol, Held>> _held = [];

    /// <summary>What leaves a method or accessor of a class.</summary>
    public IReadOnlyList<Use> Of(ModelClass type, SyntaxNode member) => Read(type, member, HeldBy(type), isConstructor: false);

    /// <summary>What leaves a constructor to stay elsewhere.</summary>
    public IReadOnlyList<Use> OfConstructor(ModelClass type, SyntaxNode constructor) => HandsOn(type, constructor) ? Read(type, constructor, HeldBy(type), isConstructor: true) : [];

    /// <summary>What a method runs of its object.</summary>
    public IReadOnlyList<Sink> OfObject(IMethodSymbol method) => _flow.Summary(method, -1).Sinks;

    private List<Use> Read(ModelClass type, SyntaxNode member, Dictionary<ISymbol, Held> held, bool isConstructor)
    {
        cancel.ThrowIfCancellationRequested();
        var model = models(member.SyntaxTree);
        if (model.GetOperation(member, cancel) is not { } operation)
            return [];
        var flow = new OwnFlow(_flow, operation, type, new ReceiverFinder(graph, type, model, cancel), held, isConstructor);
        flow.Run();
        // Of one within another the outer says it all.
        var outer = flow.Uses.OfType<LeavingUse>().ToList();
        return [.. flow.Uses.Distinct().Where(use => !outer.Any(o => o.Node != use.Node && use is LeavingUse inner && o.What == inner.What && o.Node.Contains(use.Node)))];
    }

    /// <summary>The fields of other types that hold a class's modules, wherever it fills them.</summary>
    private Dictionary<ISymbol, Held> HeldBy(ModelClass type)
    {
        if (_held.TryGetValue(type, out var held))
            return held;
        _held[type] = held = type.Base is { } b ? new Dictionary<ISymbol, Held>(HeldBy(b), SymbolEqualityComparer.Default) : new(SymbolEqualityComparer.Default);
        var names = new HashSet<string>(SourceOrder.MembersOf<IFieldSymbol>(type.Symbol)
            .Where(f => _flow.Types.CanHoldModules(f.Type) && !graph.Known.IsModule(f.Type) && type.Find(f.AssociatedSymbol ?? f) is null).Select(f => (f.AssociatedSymbol ?? f).Name));
        if (names.Count == 0)
            return held;
        foreach (var member in SourceOrder.PartsOf(type.Symbol).SelectMany(part => part.Members).OfType<BaseMethodDeclarationSyntax>())
            if (member.DescendantNodes().OfType<IdentifierNameSyntax>().Any(n => names.Contains(n.Identifier.ValueText)))
                Read(type, member, held, member is ConstructorDeclarationSyntax);
        return held;
    }

    /// <summary>Whether a constructor gives one of the class's modules away, by its syntax: to bind it takes time, and most only make layers.</summary>
    private static bool HandsOn(ModelClass type, SyntaxNode constructor)
    {
        var children = new HashSet<string>(type.Children.Select(c => c.Name));
        return constructor.DescendantNodes().Any(node => node is ThisExpressionSyntax { Parent: not MemberAccessExpressionSyntax }
            || (node is IdentifierNameSyntax name && (children.Contains(name.Identifier.ValueText) || name.Identifier.ValueText is "weight" or "bias") && IsValue(name)));
    }

    private static bool IsValue(ExpressionSyntax name)
    {
        while (name.Parent is MemberAccessExpressionSyntax or ElementAccessExpressionSyntax or PostfixUnaryExpressionSyntax or ParenthesizedExpressionSyntax or CastExpressionSyntax)
            name = (ExpressionSyntax)name.Parent;
        return name.Parent switch
        {
            AssignmentExpressionSyntax assignment => assignment.Right == name,
            ArgumentSyntax { Parent.Parent: InvocationExpressionSyntax { Expression: IdentifierNameSyntax { Identifier.ValueText: "register_module" or "register_parameter" or "nameof" } } } => false,
            InvocationExpressionSyntax or ExpressionStatementSyntax or NameColonSyntax => false,
            _ => true,
        };
    }
}
