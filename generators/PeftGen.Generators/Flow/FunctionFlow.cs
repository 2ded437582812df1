using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;

namespace PeftGen.Generators.Flow;

/// <summary>The values of the variables of one function: of a body, a lambda or a local function.</summary>
internal sealed class FunctionFlow
{
    private readonly FunctionFlow? _outer;
    private readonly BodyFlow _body;
    private readonly Dictionary<BasicBlock, IReadOnlyList<FlowEvent>> _events = [];
    private readonly Dictionary<(BasicBlock, object), FlowValue> _atEntry = [];
    private readonly HashSet<object> _defined;
    private readonly HashSet<object> _foreign = [];

    public FunctionFlow(ControlFlowGraph graph, FunctionFlow? outer, BodyFlow body)
    {
        (Graph, _outer, _body) = (graph, outer, body);
        var events = new FlowEvents(graph, body);
        foreach (var block in graph.Blocks)
            _events[block] = events.Of(block);
        _defined = [.. _events.Values.SelectMany(e => e).Where(e => e.Read is null).Select(e => e.Variable)];
        // What a function within writes is not known to those around it.
        for (var around = outer; around is not null; around = around._outer)
            around._foreign.UnionWith(_defined.Where(v => v is ISymbol));
    }

    public ControlFlowGraph Graph { get; }

    public List<Merge> Merges { get; } = [];

    public IEnumerable<(BasicBlock block, int index, IOperation read)> AllReads =>
        _events.Where(pair => pair.Key.IsReachable).SelectMany(pair => pair.Value.Select((e, i) => (pair.Key, i, e.Read))).Where(p => p.Read is not null).Select(p => (p.Key, p.i, p.Read!));

    public object VariableAt(BasicBlock block, int index) => _events[block][index].Variable;

    public FlowValue Read(BasicBlock block, int index) => ReadAt(block, index, VariableAt(block, index));

    /// <summary>What a variable holds just before one of a block's events.</summary>
    public FlowValue ReadAt(BasicBlock block, int index, object variable)
    {
        if (_foreign.Contains(variable))
            return new Unseen();
        for (var i = index - 1; i >= 0; i--)
            if (_events[block][i] is { Read: null } definition && Equals(definition.Variable, variable))
                return definition.Value!();
        return AtEntry(block, variable);
    }

    private FlowValue AtExit(BasicBlock block, object variable) => ReadAt(block, _events[block].Count, variable);

    private FlowValue AtEntry(BasicBlock block, object variable)
    {
        if (_atEntry.TryGetValue((block, variable), out var known))
            return known;
        if (block.Kind == BasicBlockKind.Entry)
            return _atEntry[(block, variable)] = AtStart(variable);
        if (ProtectedBy(block) is { } region)
            return _atEntry[(block, variable)] = IsDefinedIn(region, variable) ? new Unseen() : AtEntry(Graph.Blocks[region.FirstBlockOrdinal], variable);
        var ways = block.Predecessors.Where(w => w.Source.IsReachable).ToList();
        if (ways.Count == 0)
            return _atEntry[(block, variable)] = new Unseen();
        if (ways.Count == 1)
            return _atEntry[(block, variable)] = Over(ways[0], variable);
        var merge = new Merge(block, ways.Any(w => w.Source.Ordinal >= block.Ordinal));
        _atEntry[(block, variable)] = merge;
        merge.Values.AddRange(ways.Select(w => Over(w, variable)));
        Merges.Add(merge);
        return merge;
    }

    private FlowValue AtStart(object variable)
    {
        if (variable is IParameterSymbol parameter && _outer is null)
            return _body.ArgumentOf(parameter);
        // A function within sees what is around it only where that is given a value once.
        return _outer is not null && variable is ISymbol symbol ? _outer.Once(symbol) ?? OwnArgument(symbol) : new Unseen();
    }

    private FlowValue OwnArgument(ISymbol symbol) => symbol is IParameterSymbol own && !_outer!.Knows(own) ? _body.ArgumentOf(own) : new Unseen();

    private bool Knows(IParameterSymbol parameter) => !_foreign.Contains(parameter) && !parameter.ContainingSymbol.IsImplicitlyDeclared
        && (parameter.ContainingSymbol as IMethodSymbol)?.MethodKind is not (MethodKind.AnonymousFunction or MethodKind.LocalFunction);

    /// <summary>The only value that a variable ever has; null: it has several, or is none of this function's.</summary>
    private FlowValue? Once(ISymbol variable)
    {
        if (_foreign.Contains(variable))
            return null;
        var definitions = _events.Where(p => p.Key.IsReachable).SelectMany(p => p.Value).Where(e => e.Read is null && Equals(e.Variable, variable)).ToList();
        if (definitions.Count == 0)
            return _outer is not null ? _outer.Once(variable) : variable is IParameterSymbol parameter && Knows(parameter) ? _body.ArgumentOf(parameter) : null;
        return definitions.Count == 1 && variable is ILocalSymbol ? definitions[0].Value!() : null;
    }

    private FlowValue Over(ControlFlowBranch way, object variable) =>
        way.FinallyRegions.Any(region => IsDefinedIn(region, variable)) ? new Unseen() : AtExit(way.Source, variable);

    /// <summary>Where a block is the first of a handler, what the handler is for: it may be entered from any place there.</summary>
    private static ControlFlowRegion? ProtectedBy(BasicBlock block)
    {
        for (var region = block.EnclosingRegion; region is not null && region.FirstBlockOrdinal == block.Ordinal; region = region.EnclosingRegion)
            if (region.Kind is ControlFlowRegionKind.Catch or ControlFlowRegionKind.Finally or ControlFlowRegionKind.Filter or ControlFlowRegionKind.FilterAndHandler)
                return region.EnclosingRegion!.NestedRegions.FirstOrDefault(r => r.Kind is ControlFlowRegionKind.Try or ControlFlowRegionKind.TryAndCatch or ControlFlowRegionKind.TryAndFinally)
                    ?? region.EnclosingRegion.EnclosingRegion?.NestedRegions.FirstOrDefault(r => r.Kind == ControlFlowRegionKind.Try);
        return null;
    }

    private bool IsDefinedIn(ControlFlowRegion region, object variable) => Graph.Blocks
        .Where(b => b.Ordinal >= region.FirstBlockOrdinal && b.Ordinal <= region.LastBlockOrdinal).Any(b => _events[b].Any(e => e.Read is null && Equals(e.Variable, variable)));

    /// <summary>Merges of which all values are one are that one.</summary>
    public static void Simplify(IReadOnlyList<Merge> merges)
    {
        for (var changed = true; changed;)
        {
            changed = false;
            foreach (var merge in merges.Where(m => m.Single is null))
                if (merge.Values.Select(BodyFlow.Settled).Where(v => v != merge).Distinct().ToList() is [var only])
                    (merge.Single, changed) = (only, true);
        }
    }
}
