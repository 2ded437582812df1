using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace PeftGen.Generators.Flow;

/// <summary>A read of a variable, or a definition.</summary>
/// <param name="Variable">A symbol, or the compiler's own variable for the parts of an expression with branches.</param>
/// <param name="Read">The read; null: it is a definition.</param>
/// <param name="Value">The defined value; null for a read, and where the code does not show it.</param>
internal sealed record FlowEvent(object Variable, IOperation? Read, Func<FlowValue>? Value = null);

/// <summary>Lists what a block reads and defines, in the order in which it runs.</summary>
/// <param name="graph">The graph that has the block.</param>
/// <param name="flow">The values of operations.</param>
internal sealed class FlowEvents(ControlFlowGraph graph, BodyFlow flow)
{
    private readonly Dictionary<CaptureId, object> _targets = FindTargets(graph);
    private readonly List<FlowEvent> _events = [];

    public IReadOnlyList<FlowEvent> Of(BasicBlock block)
    {
        _events.Clear();
        foreach (var operation in block.Operations)
            Visit(operation);
        if (block.BranchValue is { } value)
            Visit(value);
        return [.. _events];
    }

    /// <summary>Captures that are not of a value but of the variable to assign: those of <c>x = first ? a : b</c>.</summary>
    private static Dictionary<CaptureId, object> FindTargets(ControlFlowGraph graph)
    {
        var operations = graph.Blocks.SelectMany(b => b.Operations.Append(b.BranchValue)).OfType<IOperation>().SelectMany(o => o.DescendantsAndSelf()).ToList();
        var assigned = new HashSet<CaptureId>(operations.Select(o => o switch
        {
            IAssignmentOperation { Target: IFlowCaptureReferenceOperation target } => target.Id,
            IIncrementOrDecrementOperation { Target: IFlowCaptureReferenceOperation target } => target.Id,
            _ => (CaptureId?)null,
        }).OfType<CaptureId>());
        var targets = new Dictionary<CaptureId, object>();
        foreach (var capture in operations.OfType<IFlowCaptureOperation>().Where(c => assigned.Contains(c.Id)))
            if (SymbolOf(capture.Value) is { } symbol)
                targets[capture.Id] = symbol;
        return targets;
    }

    private static ISymbol? SymbolOf(IOperation operation) => operation switch
    {
        ILocalReferenceOperation local => local.Local,
        IParameterReferenceOperation parameter => parameter.Parameter,
        IDeclarationExpressionOperation declaration => SymbolOf(declaration.Expression),
        _ => null,
    };

    /// <summary>The variable that an operation names; null: it names none.</summary>
    public object? VariableOf(IOperation operation) =>
        operation is IFlowCaptureReferenceOperation reference ? _targets.TryGetValue(reference.Id, out var target) ? target : reference.Id : SymbolOf(operation);

    private void Visit(IOperation operation)
    {
        switch (operation)
        {
            case IFlowAnonymousFunctionOperation:
                return;
            case IFlowCaptureOperation capture when _targets.ContainsKey(capture.Id):
                return;
            case IFlowCaptureOperation capture:
                Visit(capture.Value);
                Define(capture.Id, () => flow.ValueOf(capture.Value));
                return;
            case ISimpleAssignmentOperation assignment when VariableOf(assignment.Target) is { } variable:
                Visit(assignment.Value);
                Define(variable, assignment.IsRef ? null : () => flow.ValueOf(assignment.Value));
                return;
            case ICompoundAssignmentOperation assignment when VariableOf(assignment.Target) is { } variable:
                Read(variable, assignment.Target);
                Visit(assignment.Value);
                Define(variable, () => flow.ResultOf(assignment));
                return;
            case IDeconstructionAssignmentOperation assignment:
                Visit(assignment.Value);
                DefineParts(assignment.Target, () => flow.ValueOf(assignment.Value));
                return;
            case IIsPatternOperation test:
                Visit(test.Value);
                foreach (var part in test.Pattern.DescendantsAndSelf())
                    if ((part as IDeclarationPatternOperation)?.DeclaredSymbol is { } declared)
                        Define(declared, part == test.Pattern ? () => flow.ValueOf(test.Value) : null);
                    else if ((part as IRecursivePatternOperation)?.DeclaredSymbol is { } matched)
                        Define(matched, part == test.Pattern ? () => flow.ValueOf(test.Value) : null);
                return;
            case IDeclarationExpressionOperation:
                return;
            default:
                if (VariableOf(operation) is { } read)
                    Read(read, operation);
                else
                    foreach (var child in operation.ChildOperations)
                        Visit(child);
                DefineByCall(operation);
                return;
        }
    }

    /// <summary>What a call writes: arguments by reference, and the tensor that it changes in place.</summary>
    private void DefineByCall(IOperation operation)
    {
        var arguments = operation switch { IInvocationOperation call => call.Arguments, IObjectCreationOperation creation => creation.Arguments, _ => [] };
        foreach (var argument in arguments.Where(a => a.Parameter?.RefKind is RefKind.Ref or RefKind.Out))
            if (VariableOf(argument.Value) is { } variable)
                Define(variable, null);
        if (operation is IInvocationOperation { Instance: { } instance, TargetMethod.Name: var name } changing && name.EndsWith("_", StringComparison.Ordinal)
            && VariableOf(instance) is { } changed && changing.TargetMethod.ReturnType.Equals(changing.TargetMethod.ContainingType, SymbolEqualityComparer.Default))
            Define(changed, () => flow.ResultOf(changing));
    }

    private void DefineParts(IOperation target, Func<FlowValue> value)
    {
        switch (target)
        {
            case IDeclarationExpressionOperation declaration:
                DefineParts(declaration.Expression, value);
                break;
            case ITupleOperation tuple:
                foreach (var (element, i) in tuple.Elements.Select((e, i) => (e, i)))
                    DefineParts(element, () => flow.PartOf(value(), i));
                break;
            default:
                if (VariableOf(target) is { } variable)
                    Define(variable, value);
                break;
        }
    }

    private void Read(object variable, IOperation read) => _events.Add(new FlowEvent(variable, read));

    private void Define(object variable, Func<FlowValue>? value) => _events.Add(new FlowEvent(variable, null, value ?? (() => new Unseen())));
}
