using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace PeftGen.Generators.Flow;

/// <summary>What the variables of one body hold at each place, over all ways that lead there: the compiler's flow graph, with one value for each definition.</summary>
internal sealed class BodyFlow
{
    private readonly Dictionary<IOperation, (FunctionFlow flow, BasicBlock block, int index)> _reads = [];
    private readonly Dictionary<IOperation, FlowValue> _readValues = [];
    private readonly Dictionary<IOperation, Computed> _results = [];
    private readonly Dictionary<(FlowValue, int), Part> _parts = [];
    private readonly Dictionary<ISymbol, Argument> _arguments = new(SymbolEqualityComparer.Default);
    private readonly List<FunctionFlow> _functions = [];

    private BodyFlow(ControlFlowGraph graph)
    {
        Add(graph, null);
        foreach (var function in _functions)
            Operations.AddRange(function.Graph.Blocks.Where(b => b.IsReachable).SelectMany(b => b.Operations.Append(b.BranchValue)).OfType<IOperation>().SelectMany(o => o.DescendantsAndSelf()));
        foreach (var read in _reads.Keys)
            ValueOf(read);
        FunctionFlow.Simplify(_functions.SelectMany(f => f.Merges).ToList());
    }

    /// <summary>The flow of the body that a node is, or is part of; null where it has none, as where the code is wrong.</summary>
    public static BodyFlow? Of(SyntaxNode body, SemanticModel model, CancellationToken cancel)
    {
        var operation = model.GetOperation(body, cancel);
        while (operation?.Parent is { } outer)
            operation = outer;
        var graph = operation switch
        {
            IMethodBodyOperation method => ControlFlowGraph.Create(method, cancel),
            IConstructorBodyOperation constructor => ControlFlowGraph.Create(constructor, cancel),
            IBlockOperation block => ControlFlowGraph.Create(block, cancel),
            _ => null,
        };
        return graph is null ? null : new BodyFlow(graph);
    }

    /// <summary>All operations that may run, those of lambdas and local functions, too.</summary>
    public List<IOperation> Operations { get; } = [];

    /// <summary>What the body itself returns.</summary>
    public IEnumerable<FlowValue> Returned => _functions[0].Graph.Blocks.Where(b => b.IsReachable && b.FallThroughSuccessor?.Semantics == ControlFlowBranchSemantics.Return)
        .Select(b => b.BranchValue).OfType<IOperation>().Select(ValueOf);

    /// <summary>All reads of variables.</summary>
    public IEnumerable<IOperation> Reads => _reads.Keys;

    /// <summary>The places at which several values meet.</summary>
    public IEnumerable<Merge> Merges => _functions.SelectMany(f => f.Merges).Where(m => m.Single is null);

    /// <summary>What an operation evaluates to.</summary>
    public FlowValue ValueOf(IOperation operation) => Settled(operation switch
    {
        IConversionOperation { OperatorMethod: null } conversion => ValueOf(conversion.Operand),
        ISimpleAssignmentOperation assignment => ValueOf(assignment.Value),
        IFieldReferenceOperation { Instance: { } whole, Field: { ContainingType.IsTupleType: true } field } => PartOf(ValueOf(whole), IndexOf(field)),
        _ when _readValues.TryGetValue(operation, out var known) => known,
        _ when _reads.TryGetValue(operation, out var place) => _readValues[operation] = place.flow.Read(place.block, place.index),
        _ => ResultOf(operation),
    });

    /// <summary>The result of an operation, for itself.</summary>
    public Computed ResultOf(IOperation operation)
    {
        if (!_results.TryGetValue(operation, out var result))
            _results[operation] = result = new Computed(operation);
        return result;
    }

    public FlowValue PartOf(FlowValue whole, int index)
    {
        whole = Settled(whole);
        if (whole is Computed { Operation: ITupleOperation tuple } && index < tuple.Elements.Length)
            return ValueOf(tuple.Elements[index]);
        if (!_parts.TryGetValue((whole, index), out var part))
            _parts[(whole, index)] = part = new Part(whole, index);
        return part;
    }

    public Argument ArgumentOf(IParameterSymbol parameter)
    {
        if (!_arguments.TryGetValue(parameter, out var argument))
            _arguments[parameter] = argument = new Argument(parameter);
        return argument;
    }

    /// <summary>The variable that a read names.</summary>
    public object VariableOf(IOperation read) => _reads[read].flow.VariableAt(_reads[read].block, _reads[read].index);

    /// <summary>What a variable of the method holds where another operation runs; null: it is not known, or not this function's.</summary>
    public FlowValue? ValueAt(ISymbol variable, IOperation place)
    {
        var anchor = place.DescendantsAndSelf().FirstOrDefault(_reads.ContainsKey);
        if (anchor is null)
            return null;
        var value = _reads[anchor].flow.ReadAt(_reads[anchor].block, _reads[anchor].index, variable);
        FunctionFlow.Simplify(_functions.SelectMany(f => f.Merges).ToList());
        return Settled(value);
    }

    public static FlowValue Settled(FlowValue value)
    {
        while (value is Merge { Single: { } single })
            value = single;
        return value;
    }

    private static int IndexOf(IFieldSymbol field) =>
        ((field.CorrespondingTupleField ?? field).Name is var name && name.StartsWith("Item", StringComparison.Ordinal) && int.TryParse(name.Substring(4), out var number) ? number : 0) - 1;

    private void Add(ControlFlowGraph graph, FunctionFlow? outer)
    {
        var function = new FunctionFlow(graph, outer, this);
        _functions.Add(function);
        foreach (var (block, index, read) in function.AllReads)
            _reads[read] = (function, block, index);
        foreach (var local in graph.LocalFunctions)
            Add(graph.GetLocalFunctionControlFlowGraph(local), function);
        foreach (var lambda in graph.Blocks.SelectMany(b => b.Operations.Append(b.BranchValue)).OfType<IOperation>().SelectMany(o => o.DescendantsAndSelf()).OfType<IFlowAnonymousFunctionOperation>())
            Add(graph.GetAnonymousFunctionControlFlowGraph(lambda), function);
    }
}
