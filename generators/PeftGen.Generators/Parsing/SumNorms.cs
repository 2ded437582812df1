using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.FlowAnalysis;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Flow;

namespace PeftGen.Generators.Parsing;

/// <summary>Finds the norm that a sum goes through, and nothing else does: <c>norm.forward(h + r)</c>, or <c>x = h + r; x = norm.forward(x);</c>.</summary>
internal sealed class SumNorms(BodyFlow flow, ModuleNatures natures, IReadOnlyDictionary<SyntaxNode, Use> uses)
{
    /// <summary>A residual with its norm, and what the norm's call becomes where it stands apart.</summary>
    /// <param name="residual">The sum.</param>
    /// <param name="others">The uses of the body, from which the norm's call is taken.</param>
    public IEnumerable<Use> After(ResidualUse residual, List<Use> others)
    {
        var sum = flow.Operations.FirstOrDefault(o => o.Syntax == residual.Site && o is IBinaryOperation or ICompoundAssignmentOperation or IInvocationOperation);
        if (sum is null || (residual.Sum as InvocationExpressionSyntax)?.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "add_" } || NormOf(sum) is not var (norm, isWithin))
            return [residual];
        others.Remove(norm);
        return isWithin ? [residual with { Site = norm.Call, Norm = norm }] : [residual with { Norm = norm }, new NormedUse(norm, residual.Site)];
    }

    private (LayerUse norm, bool isWithin)? NormOf(IOperation sum)
    {
        var holder = Outside(sum);
        if (NormTaking(holder) is { } around)
            return (around, true);
        // Kept in a variable by a statement of its own, which the norm alone reads.
        var kept = sum is ICompoundAssignmentOperation ? sum : holder is ISimpleAssignmentOperation { IsRef: false } assignment && assignment.Target is ILocalReferenceOperation or IParameterReferenceOperation or IFlowCaptureReferenceOperation ? assignment : null;
        var isStatement = kept?.Parent is null or IExpressionStatementOperation;
        if (kept is null || !isStatement || flow.Merges.Any(m => m.Values.Any(v => BodyFlow.Settled(v) == flow.ResultOf(sum))))
            return null;
        var readers = flow.Reads.Where(r => flow.ValueOf(r) == flow.ResultOf(sum)).Where(r => !IsDisposal(r)).ToList();
        return readers is [var only] && NormTaking(Outside(only)) is { } apart && apart.Call.ArgumentList.Arguments[0].Expression is IdentifierNameSyntax
            && StatementOf(apart.Call) is { } after && StatementOf(kept.Syntax) is { } before && after.Parent == before.Parent ? (apart, false) : null;
    }

    /// <summary>What takes an operation as it is.</summary>
    private static IOperation? Outside(IOperation operation)
    {
        var outer = operation.Parent;
        while (outer is IConversionOperation)
            outer = outer.Parent;
        return outer;
    }

    private LayerUse? NormTaking(IOperation? outer) =>
        outer is IArgumentOperation { Parent: IInvocationOperation call } && uses.TryGetValue(call.Syntax, out var use)
        && use is LayerUse { IsLayer: true, Receiver: { Chain.Count: 1, Conditional: null } receiver } norm && norm.Call.ArgumentList.Arguments is [{ NameColon: null }] && natures.Of(receiver) == ModuleNature.Norm ? norm : null;

    // What is disposed of by a variable's end, or by name, is no reader.
    private static bool IsDisposal(IOperation read) => Outside(read) switch
    {
        IInvocationOperation { TargetMethod.Name: "Dispose" } => true,
        IIsNullOperation => true,
        _ => false,
    };

    private static StatementSyntax? StatementOf(SyntaxNode node) => node.FirstAncestorOrSelf<StatementSyntax>();
}
