using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Leaving;

namespace PeftGen.Generators.Parsing;

/// <summary>Decides which classes and methods are compiled: those through which a call reaches a site.</summary>
internal sealed class Reachability
{
    private readonly ModelGraph _graph;
    private readonly BodyScanner _scanner;
    private readonly CompiledSites _sites;
    private readonly IReadOnlyDictionary<ModelClass, HashSet<ModelClass>> _holders;
    private readonly IReadOnlyCollection<ModelClass> _abstractly;
    private readonly IReadOnlyCollection<ModelClass> _closed;
    private readonly HashSet<ISymbol> _asked = new(SymbolEqualityComparer.Default);

    /// <param name="graph">The classes.</param>
    /// <param name="scanner">Their bodies.</param>
    /// <param name="sites">The sites.</param>
    /// <param name="holders">For each class, those that hold it.</param>
    /// <param name="abstractly">Classes that stand where only an abstract type is declared.</param>
    /// <param name="roots">The annotated classes: compiled with their forward even where it reaches nothing, since programs call it.</param>
    /// <param name="closed">Classes that cannot be extended.</param>
    public Reachability(
        ModelGraph graph, BodyScanner scanner, CompiledSites sites, IReadOnlyDictionary<ModelClass, HashSet<ModelClass>> holders,
        IReadOnlyCollection<ModelClass> abstractly, IEnumerable<ModelClass> roots, IReadOnlyCollection<ModelClass> closed)
    {
        _abstractly = abstractly;
        _closed = closed;
        _graph = graph;
        _scanner = scanner;
        _sites = sites;
        _holders = holders;
        FindClasses();
        foreach (var root in roots.Except(closed))
        {
            Classes.Add(root);
            if (ForwardOf(root) is { } forward)
                Mark(forward);
        }

        FindMethods();
    }

    /// <summary>The classes on the way to a site.</summary>
    public HashSet<ModelClass> Classes { get; } = [];

    /// <summary>The methods that get an overload.</summary>
    public HashSet<ISymbol> Methods { get; } = new(SymbolEqualityComparer.Default);

    /// <summary>Methods of classes that are also called with hooks.</summary>
    public HashSet<ModelClass> Hooked { get; } = [];

    /// <summary>Whether a child has a slot or node.</summary>
    public bool IsCompiled(ModelClass owner, ModelChild child) =>
        !_closed.Contains(owner) && !(child.Shape == ChildShape.Composite && _closed.Contains(_graph.ClassOf(child.Type)!))
        && (_sites.Contains(owner, child) || (child.Shape != ChildShape.Parameter && child.Shape != ChildShape.BuiltIn && _graph.Candidates(child).Any(Classes.Contains)));

    /// <summary>Whether a type is a linear layer of the user's own on which a method stands.</summary>
    public bool IsOwnLinear(ITypeSymbol type) => _graph.ClassOf(type) is { } module && _sites.Linears.ContainsKey(module) && !_closed.Contains(module);

    /// <summary>A use as what it turns out to be: linear layers of the user's own, where a method stands on them, are used as built-in ones.</summary>
    public Use Settle(Use use) => use switch
    {
        NodeUse { Method.Name: "forward" or "call" } node when IsOwnLinear(node.Receiver.Type) => new LayerUse(node.Call, node.Receiver, IsLayer: true),
        MethodGroupUse { Receiver: { } receiver, Type: not null, Method.Name: "forward" or "call" } group when IsOwnLinear(receiver.Type) => group with { Type = null, IsLayer = true },
        ParameterUse { IsWrite: false, Chain.Count: > 1, Read: MemberAccessExpressionSyntax read } parameter
            when parameter.Chain[parameter.Chain.Count - 2].child.Type is var holder && IsOwnLinear(holder) =>
            new WeightUse(read, new Receiver(read.Expression, [.. parameter.Chain.Take(parameter.Chain.Count - 1)], holder),
                _sites.Linears[_graph.ClassOf(holder)!].Bias == parameter.Target.child ? "bias" : "weight"),
        _ => use,
    };

    /// <summary>Whether a use goes through an adapter.</summary>
    public bool Reaches(ModelClass type, Use use) => Settle(use) switch
    {
        LayerUse layer => ReachesReceiver(type, layer.Receiver),
        NodeUse node => (node.IsHooked ? Classes.Contains(node.Type) : ReachesMethod(node.Type, node.Method)) && ReachesReceiver(type, node.Receiver),
        SelfUse self => Methods.Contains(self.Method),
        ParameterUse parameter => IsCompiled(parameter.Target.owner, parameter.Target.child),
        ResidualUse residual => _sites.Bodies.Contains((type, SiteKind.Residual)) || (residual.Norm is { } norm && Reaches(type, norm)),
        NormedUse normed => _sites.Bodies.Contains((type, SiteKind.Residual)) || Reaches(type, normed.Norm),
        AttentionSiteUse => _sites.Bodies.Contains((type, SiteKind.Attention)),
        PositionsUse => HasInputs,
        MethodGroupUse { Receiver: null } group => Methods.Contains(group.Method.OriginalDefinition),
        MethodGroupUse { Type: { } declaring } group => ReachesMethod(declaring, group.Method) && ReachesReceiver(type, group.Receiver!),
        MethodGroupUse group => ReachesReceiver(type, group.Receiver!),
        WeightUse weight => ReachesReceiver(type, weight.Receiver),
        LeavingUse leaving => Leaves(type, leaving) && leaving.Sinks.Any(sink => Acts(type, sink)),
        MemberUse member => (member.Receiver is null || ReachesReceiver(type, member.Receiver)) && RunsMember(member.Method),
        KeptUse kept => _scanner.Scan(type).SelectMany(m => m.Uses).Any(inner => inner is LayerUse or NodeUse or SelfUse or MethodGroupUse or ResidualUse or WeightUse or ParameterUse && kept.Code.Contains(inner.Node) && Reaches(type, inner)),
        InterfaceUse call => RunsMember(call.Method),
        _ => false,
    };

    /// <summary>Whether some child of a class, or of one that derives from it, has a slot or node and may be what a variable of a type holds.</summary>
    public bool MayHold(ModelClass type, ITypeSymbol variable) =>
        Classes.Where(c => c.Lineage.Contains(type)).SelectMany(c => c.Lineage).Concat(type.Lineage).Distinct()
            .Any(t => t.Own.Any(c => c.Shape != ChildShape.Parameter && IsCompiled(t, c) && _graph.MayBe(c, variable)));

    /// <summary>The methods that a forward, or a method that calls a target, calls in turn.</summary>
    public HashSet<ISymbol> Running { get; private set; } = new(SymbolEqualityComparer.Default);

    private bool Leaves(ModelClass type, LeavingUse leaving) =>
        leaving.Below is { } variable ? AnyMayBe(variable) && !MayHold(type, variable)
        : leaving.Receiver is { } receiver ? ReachesReceiver(type, receiver) : Classes.Contains(type);

    private bool Acts(ModelClass type, Sink sink) =>
        sink.Field is { } field ? !IsCompiled(field.owner, field.child) && IsRun(field.owner, field.child)
        : sink.Child is { } child ? IsCompiled(child.owner, child.child)
        : sink.Method is { } method && !sink.ReadsWeight ? RunsMember(method)
        : sink.Variable is not { } variable || AnyMayBe(variable);

    /// <summary>Whether anything with a slot or node may be what a variable holds.</summary>
    private bool AnyMayBe(ITypeSymbol variable) =>
        Classes.Any(c => ModelGraph.IsAssignable(c.Symbol, variable)) || Classes.Any(t => t.Own.Any(c => c.Shape != ChildShape.Parameter && IsCompiled(t, c) && _graph.MayBe(c, variable)));

    /// <summary>Whether the code of a class runs one of its children, or reads its weights.</summary>
    private bool IsRun(ModelClass owner, ModelChild child) =>
        _graph.DerivedFrom(owner).Prepend(owner).SelectMany(_scanner.Scan).SelectMany(m => m.Uses).Select(use => use switch
        {
            LayerUse layer => layer.Receiver,
            NodeUse node => node.Receiver,
            MethodGroupUse group => group.Receiver,
            WeightUse weight => weight.Receiver,
            ResidualUse { Norm: { } norm } => norm.Receiver,
            LeavingUse leaving => leaving.Receiver,
            _ => null,
        }).Any(receiver => receiver?.Chain.Contains((owner, child)) == true);

    /// <summary>Whether a method without an overload, or one that is called without it, reaches a site; so may what overrides or implements it.</summary>
    private bool RunsMember(IMethodSymbol method)
    {
        var definition = method.OriginalDefinition;
        if (Methods.Contains(definition))
            return true;
        if (!_asked.Add(definition))
            return false;
        try
        {
            if (_graph.ClassOf(definition.ContainingType) is { } type && definition.MethodKind != MethodKind.Ordinary && _scanner.ScanMember(type, definition).Any(use => Reaches(type, use)))
                return true;
            if (definition.ContainingType.TypeKind == TypeKind.Interface)
                return Classes.Any(c => c.Symbol.FindImplementationForInterfaceMember(method) is IMethodSymbol found
                    && (found.ContainingType.TypeKind == TypeKind.Interface ? _scanner.Leaving.OfObject(found).Any(sink => Acts(c, sink)) : RunsMember(found) || _graph.Known.IsAbstractModule(found.ContainingType)));
            return (definition.IsVirtual || definition.IsAbstract || definition.IsOverride)
                && Classes.SelectMany(c => c.Symbol.GetMembers().OfType<IMethodSymbol>()).Where(m => Overrides(m, definition)).ToList().Any(RunsMember);
        }
        finally
        {
            _asked.Remove(definition);
        }
    }

    private static bool Overrides(IMethodSymbol method, IMethodSymbol what)
    {
        for (var overridden = method.OverriddenMethod; overridden is not null; overridden = overridden.OverriddenMethod)
            if (SymbolEqualityComparer.Default.Equals(overridden.OriginalDefinition, what))
                return true;
        return false;
    }

    /// <summary>Whether a method stands at some root's door, where it may move positions.</summary>
    private bool HasInputs => _sites.Bodies.Any(site => site.kind == SiteKind.Input);

    /// <summary>The classes whose code hands positions out to be moved.</summary>
    private IEnumerable<ModelClass> WithPositions =>
        HasInputs ? _holders.Keys.SelectMany(type => type.Lineage).Distinct().Where(type => _scanner.Scan(type).Any(method => method.Uses.Any(use => use is PositionsUse))) : [];

    private bool ReachesReceiver(ModelClass type, Receiver receiver) =>
        receiver.IsDirect ? IsCompiled(receiver.Target.owner, receiver.Target.child) : MayHold(type, receiver.Type);

    // TorchSharp's own abstract forward, or call, on a class of this compilation that inherits its implementation.
    private bool ReachesMethod(ModelClass type, IMethodSymbol method) =>
        _graph.ClassOf(method.ContainingType) is null ? Classes.Contains(type) : Methods.Contains(method.OriginalDefinition);

    private void FindClasses()
    {
        var queue = new Queue<ModelClass>(_sites.Children.Select(c => c.owner).Concat(_sites.Bodies.Select(b => b.type)).Concat(WithPositions));
        while (queue.Count > 0)
        {
            var type = queue.Dequeue();
            if (_closed.Contains(type) || !Classes.Add(type))
                continue;
            foreach (var derived in _holders.Keys.Where(k => k.Lineage.Contains(type)))
                queue.Enqueue(derived);
            if (_holders.TryGetValue(type, out var holders))
                foreach (var holder in holders)
                    foreach (var owner in holder.Lineage)
                        foreach (var child in owner.Own.Where(c => _graph.Candidates(c).Contains(type)))
                        {
                            queue.Enqueue(owner);
                            // The declared class is what the holder's code sees, also where a derived one stands there.
                            if (_graph.ClassOf(child.Type) is { } declared)
                                queue.Enqueue(declared);
                        }
        }
    }

    private void FindMethods()
    {
        // Base classes may run what they are handed by those that derive from them.
        var scans = Classes.Concat(Classes.SelectMany(c => c.Lineage).Distinct().SelectMany(_graph.DerivedFrom)).SelectMany(c => c.Lineage.TakeWhile(t => !_closed.Contains(t))).Distinct().SelectMany(_scanner.Scan).ToList();
        Running = FindRunning(scans);
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var method in scans)
                if (!Methods.Contains(method.Symbol) && (method.Uses.Any(use => Reaches(method.Type, use) && (!IsOfWeights(use) || Running.Contains(method.Symbol))) || IsOverrideOfCompiled(method.Symbol)
                    || (_sites.Bodies.Contains((method.Type, SiteKind.Output)) && IsModuleForward(method.Symbol))))
                    changed |= Mark(method.Symbol);
            // Whoever runs an abstract child that has a node runs it through the node, also where the class that stands there reaches nothing.
            foreach (var type in Classes.Where(_abstractly.Contains).ToList())
                if (ForwardOf(type) is { } forward && !Methods.Contains(forward))
                    changed |= Mark(forward);
        }

        // A node derives from its base class's, so no class between two that are compiled is left out.
        foreach (var type in Classes.ToList())
            if (type.Lineage.Skip(1).LastOrDefault(Classes.Contains) is { } highest)
                Classes.UnionWith(type.Lineage.TakeWhile(t => t != highest).Except(_closed));
        foreach (var use in scans.SelectMany(m => m.Uses))
            if (use is NodeUse { IsHooked: true } node)
                Hooked.Add(node.Type);
            else if (use is MethodGroupUse { Type: { } type, Method.Name: "call" })
                Hooked.Add(type);
    }

    /// <summary>
    /// The methods that a forward, or a method that calls a target, calls in turn. Others that read weights start or load them, and stay as they are.
    /// </summary>
    private HashSet<ISymbol> FindRunning(List<MethodScan> scans)
    {
        var found = new HashSet<ISymbol>(SymbolEqualityComparer.Default);
        var bodies = scans.ToLookup(s => s.Symbol, SymbolEqualityComparer.Default);
        var queue = new Queue<ISymbol>(scans.Where(s => IsModuleForward(s.Symbol) || s.Uses.Any(use => Settle(use) is LayerUse or ResidualUse or NormedUse && Reaches(s.Type, use))).Select(s => (ISymbol)s.Symbol));
        while (queue.Count > 0)
        {
            var method = queue.Dequeue();
            if (!found.Add(method))
                continue;
            foreach (var use in bodies[method].SelectMany(s => s.Uses))
                if (use switch { SelfUse self => self.Method, NodeUse node => node.Method, MethodGroupUse group => group.Method.OriginalDefinition, _ => null } is { } next)
                    queue.Enqueue(next);
        }

        return found;
    }

    private bool IsOfWeights(Use use) => Settle(use) is WeightUse or LeavingUse { IsOfWeights: true };

    /// <summary>Whether a use has to be rewritten or refused where it stands: reads of weights past their layers count only where they run.</summary>
    public bool Concerns(MethodScan method, Use use) => Reaches(method.Type, use) && (use is not LeavingUse { IsOfWeights: true } || Running.Contains(method.Symbol));

    private bool IsOverrideOfCompiled(IMethodSymbol method)
    {
        for (var overridden = method.OverriddenMethod; overridden is not null; overridden = overridden.OverriddenMethod)
            if (Methods.Contains(overridden.OriginalDefinition))
                return true;
        return false;
    }

    /// <summary>The module's own forward, as a class declares or inherits it; null where it is another assembly's.</summary>
    public IMethodSymbol? ForwardOf(ModelClass type) =>
        type.Lineage.TakeWhile(t => !_closed.Contains(t)).SelectMany(_scanner.Scan).Select(scan => scan.Symbol).FirstOrDefault(IsModuleForward);

    /// <inheritdoc cref="KnownTypes.IsModuleForward"/>
    public bool IsModuleForward(IMethodSymbol method) => _graph.Known.IsModuleForward(method);

    private bool Mark(IMethodSymbol method)
    {
        var added = Methods.Add(method);
        if (_graph.ClassOf(method.ContainingType) is { } declaring)
        {
            Classes.Add(declaring);
            // An abstract overload has to be overridden by all.
            if (method.IsAbstract)
                Classes.UnionWith(_graph.DerivedFrom(declaring).Except(_closed));
        }

        for (var overridden = method.OverriddenMethod; overridden is not null; overridden = overridden.OverriddenMethod)
            if (_graph.ClassOf(overridden.ContainingType) is { } owner && !_closed.Contains(owner))
            {
                added |= Methods.Add(overridden.OriginalDefinition);
                Classes.Add(owner);
                if (overridden.IsAbstract)
                    Classes.UnionWith(_graph.DerivedFrom(owner).Except(_closed));
            }

        return added;
    }
}
