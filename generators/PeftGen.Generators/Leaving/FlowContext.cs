using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>What is known of code that modules are handed to. Each method is looked into once.</summary>
internal sealed class FlowContext(ModelGraph graph, Func<SyntaxTree, SemanticModel> models, CancellationToken cancel)
{
    private readonly Dictionary<(ISymbol, int), Summary> _summaries = new(Comparer);
    private readonly Dictionary<ISymbol, List<Sink>> _kept = new(SymbolEqualityComparer.Default);

    private static IEqualityComparer<(ISymbol symbol, int parameter)> Comparer { get; } = new BySymbol();

    public ModelGraph Graph { get; } = graph;

    public CarrierTypes Types { get; } = new(graph);

    public SemanticModel ModelOf(SyntaxTree tree) => models(tree);

    /// <summary>Whether a type is a module, or a list of modules.</summary>
    public bool IsModules(ITypeSymbol? type) => type is not null && Graph.ElementOf(type) is not null;

    /// <summary>What a method does with a parameter, or with what its object holds.</summary>
    /// <param name="method">The method; its code can be looked into.</param>
    /// <param name="parameter">The parameter's number; -1: the object.</param>
    public Summary Summary(IMethodSymbol method, int parameter)
    {
        var definition = (method.ReducedFrom ?? method).OriginalDefinition;
        if (_summaries.TryGetValue((definition, parameter), out var known))
            return known;
        // Known before it is read: a method may call itself.
        var summary = _summaries[(definition, parameter)] = new Summary();
        cancel.ThrowIfCancellationRequested();
        if (definition.IsAbstract)
            summary.Sinks.Add(new Sink(definition));
        foreach (var body in BodiesOf(definition))
            new HelperFlow(this, body, definition, parameter < 0 ? null : definition.Parameters[parameter], null, summary).Run();
        if (parameter >= 0 && IsPrimary(definition))
            ReadPrimary(definition, definition.Parameters[parameter], summary);
        return summary;
    }

    /// <summary>What the class that declares a member runs of what is kept in it.</summary>
    public IReadOnlyList<Sink> OfKept(ISymbol member)
    {
        if (_kept.TryGetValue(member, out var sinks))
            return sinks;
        _kept[member] = sinks = [];
        // The class's own modules are met by their places.
        if (member.ContainingType is not { } type || !Types.IsSource(type) || Graph.ClassOf(type) is not null)
            return sinks;
        var summary = new Summary();
        foreach (var method in type.GetMembers().OfType<IMethodSymbol>())
            foreach (var body in BodiesOf(method, member.Name))
                new HelperFlow(this, body, method, null, member, summary).Run();
        sinks.AddRange(summary.Sinks);
        return sinks;
    }

    public static bool IsPrimary(IMethodSymbol method) => method.MethodKind == MethodKind.Constructor && method.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax() is TypeDeclarationSyntax;

    /// <summary>The code of a method.</summary>
    /// <param name="method">The method.</param>
    /// <param name="mentioned">A name that it has to mention; null: any.</param>
    public IEnumerable<IOperation> BodiesOf(IMethodSymbol method, string? mentioned = null)
    {
        foreach (var reference in (method.PartialImplementationPart ?? method).DeclaringSyntaxReferences)
        {
            var syntax = reference.GetSyntax(cancel);
            if (syntax is TypeDeclarationSyntax || (mentioned is not null && !syntax.DescendantNodes().OfType<IdentifierNameSyntax>().Any(n => n.Identifier.ValueText == mentioned)))
                continue;
            if (ModelOf(syntax.SyntaxTree).GetOperation(syntax, cancel) is { } operation)
                yield return operation;
        }
    }

    /// <summary>A parameter of a primary constructor stands in the whole class.</summary>
    private void ReadPrimary(IMethodSymbol constructor, IParameterSymbol parameter, Summary summary)
    {
        summary.Keeps = true;
        if (Graph.ClassOf(constructor.ContainingType) is not { } module)
            return;
        foreach (var child in module.Own)
            if (AssignedValues.Of(child).Any(v => v is IdentifierNameSyntax name && name.Identifier.ValueText == parameter.Name))
                summary.Sinks.Add(new Sink(constructor) { Field = (module, child) });
        foreach (var method in constructor.ContainingType.GetMembers().OfType<IMethodSymbol>())
            foreach (var body in BodiesOf(method, parameter.Name))
                new HelperFlow(this, body, method, parameter, null, summary).Run();
    }

    private sealed class BySymbol : IEqualityComparer<(ISymbol symbol, int parameter)>
    {
        public bool Equals((ISymbol symbol, int parameter) x, (ISymbol symbol, int parameter) y) => x.parameter == y.parameter && SymbolEqualityComparer.Default.Equals(x.symbol, y.symbol);

        public int GetHashCode((ISymbol symbol, int parameter) value) => (SymbolEqualityComparer.Default.GetHashCode(value.symbol) * 31) + value.parameter;
    }
}
