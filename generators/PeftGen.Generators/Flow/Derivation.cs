using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace PeftGen.Generators.Flow;

/// <summary>Whether the numbers of one value are computed from another's, on every way that leads there.</summary>
/// <param name="flow">The body.</param>
/// <param name="isSource">Whether a value is that other one.</param>
/// <param name="goesThrough">Whether to look at what an operation was given.</param>
/// <param name="byShape">Whether a shape that is asked for counts, too.</param>
internal sealed class Derivation(BodyFlow flow, Func<FlowValue, bool> isSource, Func<IOperation, bool> goesThrough, bool byShape = false)
{
    private readonly Dictionary<FlowValue, bool?> _known = [];

    public bool From(IOperation operation) =>
        (byShape || (!TensorSteps.IsOfShapeAlone(operation) && !IsNumber(operation.Type))) && From(flow.ValueOf(operation));

    public bool From(FlowValue value) => Find(BodyFlow.Settled(value)) == true;

    /// <summary>Null: it is being found out, farther up.</summary>
    private bool? Find(FlowValue value)
    {
        if (isSource(value))
            return true;
        if (_known.TryGetValue(value, out var known))
            return known;
        _known[value] = null;
        var found = value switch
        {
            // A turn of a loop before says nothing that its other ways do not say.
            Merge merge => merge.Values.Select(v => Find(BodyFlow.Settled(v))).Where(f => f is not null).ToList() is { Count: > 0 } ways && ways.All(f => f == true),
            Part part => From(part.Whole),
            Computed { Operation: var operation } => goesThrough(operation) && operation.ChildOperations.Any(Within),
            _ => false,
        };
        _known[value] = found;
        return found;
    }

    private bool Within(IOperation operand) => operand switch
    {
        IArgumentOperation argument => From(argument.Value),
        IObjectOrCollectionInitializerOperation or IArrayInitializerOperation => operand.ChildOperations.Any(Within),
        ISimpleAssignmentOperation { Target: IPropertyReferenceOperation or IFieldReferenceOperation } member => From(member.Value),
        _ => From(operand),
    };

    private static bool IsNumber(ITypeSymbol? type) =>
        type is { SpecialType: not SpecialType.None and not SpecialType.System_Object } or { TypeKind: TypeKind.Enum } || (type is IArrayTypeSymbol array && IsNumber(array.ElementType));
}
