using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>What code that is not compiled does with a module that it is handed, or that its object holds.</summary>
/// <param name="flow">What is known of other methods.</param>
/// <param name="body">The code.</param>
/// <param name="method">The method that it is of.</param>
/// <param name="parameter">The parameter that is or holds the module; null: another.</param>
/// <param name="member">The static or field that does; null with no parameter: the object itself.</param>
/// <param name="summary">Where to write what is found.</param>
internal sealed class HelperFlow(FlowContext flow, IOperation body, IMethodSymbol method, IParameterSymbol? parameter, ISymbol? member, Summary summary) : ModuleFlow(flow, body)
{
    private bool IsOfObject => parameter is null && member is null;

    protected override bool DelegatesRunTheBase => true;

    protected override Origin? SeedOf(IOperation operation)
    {
        switch (operation)
        {
            case IParameterReferenceOperation { Parameter: var read }:
                return SymbolEqualityComparer.Default.Equals(read.OriginalDefinition, parameter) || (IsOfObject && read.ContainingSymbol is IMethodSymbol { MethodKind: MethodKind.Constructor } constructor
                    && !SymbolEqualityComparer.Default.Equals(constructor, method)) ? Seed(operation) : null;
            case IInstanceReferenceOperation { ReferenceKind: InstanceReferenceKind.ContainingTypeInstance }:
                return IsOfObject ? Seed(operation) : null;
            case IFieldReferenceOperation or IPropertyReferenceOperation when member is not null && SymbolEqualityComparer.Default.Equals(((IMemberReferenceOperation)operation).Member.OriginalDefinition, member.OriginalDefinition):
                return Seed(operation);
            default:
                return null;
        }
    }

    private Origin Seed(IOperation operation) => new(operation,
        Flow.Types.IsTensor(operation.Type) || Flow.Types.HoldsTensors(operation.Type) ? Tie.Weight
        : Flow.IsModules(operation.Type) ? Tie.Itself : Tie.Holder);

    protected override Origin? ResultOfOwn(CallSite call) => null;

    protected override void Judge(IOperation operation)
    {
        foreach (var call in Calls.Of(operation))
        {
            foreach (var (taken, value) in call.Arguments)
                if (OriginOf(value) is { } origin)
                    Add(Runners.OfArgument(Flow, call, taken, value, origin));
            if (OriginOf(call.Instance) is { } instance && !IsOwnCode(call))
                Add(Runners.OfInstance(Flow, call, instance, method));
            foreach (var kept in KeptBy(call))
                summary.KeptIn.Add(kept);
        }

        switch (operation)
        {
            case IDynamicInvocationOperation dynamic when dynamic.Arguments.Append(dynamic.Operation).Any(a => OriginOf(a) is not null):
            case IDynamicMemberReferenceOperation { Instance: { } target } when OriginOf(target) is not null:
                summary.Sinks.Add(new Sink(method));
                break;
            case IBinaryOperation binary when IsWeight(binary.LeftOperand) || IsWeight(binary.RightOperand):
                if (Flow.Types.IsTensor(binary.Type))
                    summary.Sinks.Add(new Sink(method, null, ReadsWeight: true));
                break;
            case IReturnOperation { ReturnedValue: { } value } when OriginOf(value) is { } returned:
                summary.Returns |= returned.Tie != Tie.Weight;
                summary.ReturnsWeight |= returned.Tie == Tie.Weight;
                break;
            case IAssignmentOperation assignment and not ICompoundAssignmentOperation when OriginOf(assignment.Value) is { } value:
                Keep(assignment.Target, value);
                break;
        }
    }

    // What the code of the same object does with its own fields is read when that is.
    private bool IsOwnCode(CallSite call) => call.Target.MethodKind is MethodKind.LocalFunction
        || (IsOfObject && call.Instance is IInstanceReferenceOperation && SymbolEqualityComparer.Default.Equals(call.Target.OriginalDefinition, method));

    private bool IsWeight(IOperation operand) => Flow.Types.IsTensor(operand.Type) && OriginOf(operand)?.Tie == Tie.Weight;

    private void Keep(IOperation target, Origin value)
    {
        if (target is not IMemberReferenceOperation { Member: var to } reference || to is not (IFieldSymbol or IPropertySymbol))
            return;
        if (value.Tie == Tie.Weight && !Flow.Graph.Known.IsModule(to.ContainingType))
            summary.Sinks.Add(new Sink(method, null, ReadsWeight: true));
        else if (to.IsStatic)
            summary.KeptIn.Add(to.OriginalDefinition);
        else if (reference.Instance is IInstanceReferenceOperation)
            KeepInObject(to);
    }

    private void KeepInObject(ISymbol to)
    {
        if (Flow.Graph.ClassOf(to.ContainingType) is { } module && module.Find(to) is { } child)
            summary.Sinks.Add(new Sink(method) { Field = (module, child) });
        else
            summary.Keeps = true;
    }

    private IEnumerable<ISymbol> KeptBy(CallSite call)
    {
        foreach (var (taken, value) in call.Arguments)
            if (OriginOf(value) is { Tie: not Tie.Weight })
            {
                if (StaticOf(call.Instance) is { } list && !Flow.Types.IsSource(call.Target.OriginalDefinition))
                    yield return list;
                if (call.Instance is IMemberReferenceOperation { Instance: IInstanceReferenceOperation, Member: IFieldSymbol or IPropertySymbol } && !Flow.Types.IsSource(call.Target.OriginalDefinition))
                    summary.Keeps = true;
                if (Flow.Types.IsSource(call.Target.OriginalDefinition) && taken is not null && Flow.Summary(call.Target, taken.Ordinal) is var inner)
                {
                    summary.Keeps |= inner.Keeps && (call.Instance is IInstanceReferenceOperation || call.Operation.Parent is IExpressionStatementOperation { Parent: IConstructorBodyOperation });
                    foreach (var kept in inner.KeptIn)
                        yield return kept;
                }
            }
    }

    /// <summary>The static member that an expression begins with.</summary>
    public static ISymbol? StaticOf(IOperation? operation) => operation switch
    {
        IMemberReferenceOperation { Instance: null, Member: IFieldSymbol or IPropertySymbol } member => member.Member.OriginalDefinition,
        IMemberReferenceOperation { Instance: { } inner } => StaticOf(inner),
        IArrayElementReferenceOperation element => StaticOf(element.ArrayReference),
        IConversionOperation conversion => StaticOf(conversion.Operand),
        _ => null,
    };

    private void Add(IEnumerable<Sink> sinks)
    {
        // A method that calls itself adds to what it is read from.
        foreach (var sink in sinks.ToList())
            if (sink with { In = method } is var found && !summary.Sinks.Contains(found))
                summary.Sinks.Add(found);
    }
}
