using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Flow;

namespace PeftGen.Generators.Parsing;

/// <summary>A mask on its way into scores.</summary>
/// <param name="Expression">It.</param>
/// <param name="Hides">Whether a bool mask says which keys are hidden, and not which are seen.</param>
internal sealed record MaskOperand(ExpressionSyntax Expression, bool Hides);

/// <summary>Follows scores back from their softmax to the product of queries and keys, over all ways, and collects the masks that meet them.</summary>
internal sealed class AttentionChain(BodyFlow flow, KnownTypes known)
{
    private static readonly HashSet<string> _numberByNumber =
        ["to", "to_type", "type", "float", "double", "half", "bfloat16", "contiguous", "clone", "alias", "clamp", "clamp_", "tanh", "tanh_", "nan_to_num", "MoveToOuterDisposeScope", "DetachFromDisposeScope"];

    private readonly HashSet<FlowValue> _seen = [];

    /// <summary>The product of queries and keys; null: none is found, or several.</summary>
    public IInvocationOperation? Product { get; private set; }

    /// <summary>The masks.</summary>
    public List<MaskOperand> Masks { get; } = [];

    /// <summary>The values between the product and the softmax.</summary>
    public HashSet<FlowValue> Values { get; } = [];

    /// <summary>What stands in the way; null: nothing.</summary>
    public string? Why { get; private set; }

    /// <summary>Follows a value back.</summary>
    public bool Follow(FlowValue value)
    {
        value = BodyFlow.Settled(value);
        if (!_seen.Add(value))
            return Values.Contains(value);
        var found = value switch
        {
            Merge { IsLoop: false } merge => merge.Values.Select(Follow).ToList().All(f => f),
            Computed { Operation: var operation } => Operation(operation),
            _ => false,
        };
        if (found)
            Values.Add(value);
        return found;
    }

    private bool Operation(IOperation operation)
    {
        switch (operation)
        {
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.Add or BinaryOperatorKind.Subtract } sum:
                return Added(sum.LeftOperand, sum.RightOperand, sum.OperatorKind == BinaryOperatorKind.Add);
            case ICompoundAssignmentOperation { OperatorKind: BinaryOperatorKind.Add } sum:
                return Added(sum.Target, sum.Value, false);
            case IBinaryOperation { OperatorKind: BinaryOperatorKind.Multiply or BinaryOperatorKind.Divide } scaled:
                return Scaled(scaled.LeftOperand, scaled.RightOperand) || (scaled.OperatorKind == BinaryOperatorKind.Multiply && Scaled(scaled.RightOperand, scaled.LeftOperand));
            case ICompoundAssignmentOperation { OperatorKind: BinaryOperatorKind.Multiply or BinaryOperatorKind.Divide } scaled:
                return Scaled(scaled.Target, scaled.Value);
            case IInvocationOperation call when TensorSteps.TensorOf(call) is { } tensor:
                return Call(call, tensor, [.. TensorSteps.Tensors(call)]);
            default:
                return false;
        }
    }

    private bool Call(IInvocationOperation call, IOperation tensor, List<IOperation> operands)
    {
        switch (call.TargetMethod.Name)
        {
            case "baddbmm":
                Why = "baddbmm adds a mask within the product; use bmm, and add the mask to what it returns";
                Product = call;
                return true;
            case "matmul" or "bmm" or "einsum":
                if (Product is not null && Product.Syntax != call.Syntax)
                    Why = "the scores are of different products on the ways that lead to the softmax";
                Product = call;
                return true;
            case "add" or "add_" when operands.Count >= 2:
                return Added(tensor, operands[1], call.TargetMethod.Name == "add");
            case "mul" or "mul_" or "div" or "div_" or "divide" or "multiply" when operands.Count >= 2:
                return Scaled(tensor, operands[1]);
            case "masked_fill" or "masked_fill_" when operands.Count >= 3 && Follow(flow.ValueOf(tensor)):
                return Masked(operands[1], hides: true);
            case "where" when operands.Count >= 3:
                var (condition, first, second) = call.Instance is null ? (operands[0], operands[1], operands[2]) : (operands[1], operands[0], operands[2]);
                return Follow(flow.ValueOf(first)) ? IsSmall(second, "what hidden scores become") && Masked(condition, hides: false)
                    : Follow(flow.ValueOf(second)) && IsSmall(first, "what hidden scores become") && Masked(condition, hides: true);
            case var name when _numberByNumber.Contains(name):
                return Follow(flow.ValueOf(tensor));
            case "view" or "reshape" or "unsqueeze" or "squeeze" or "flatten" or "unflatten" or "permute" or "transpose" or "expand" or "index" or "narrow" or "slice":
                if (Follow(flow.ValueOf(tensor)))
                    Why = $"the scores are reshaped by {call.TargetMethod.Name} in line {LineOf(call)}, which says how many keys there are";
                return Why is not null;
            default:
                if (Follow(flow.ValueOf(tensor)))
                    Why = $"the scores go through {call.TargetMethod.Name} in line {LineOf(call)}";
                return Why is not null;
        }
    }

    private bool Added(IOperation left, IOperation right, bool eitherWay) =>
        Follow(flow.ValueOf(left)) ? Masked(right, hides: true) : eitherWay && Follow(flow.ValueOf(right)) && Masked(left, hides: true);

    private bool Scaled(IOperation scores, IOperation by) => Follow(flow.ValueOf(scores)) && IsSmall(by, "what the scores are scaled by");

    private bool Masked(IOperation mask, bool hides)
    {
        var expression = (ExpressionSyntax)Plain(mask).Syntax;
        if (mask.Type is { } type && known.IsTensor(type) && Masks.All(m => m.Expression != expression))
            Masks.Add(new MaskOperand(expression, hides));
        return true;
    }

    /// <summary>Whether a number, or a tensor made of one number, is meant: it does not go by the number of keys.</summary>
    private bool IsSmall(IOperation operation, string what)
    {
        var plain = Plain(operation);
        if (plain.Type is not { } type || !known.IsTensor(type) || IsMadeOfNumbers(flow.ValueOf(plain)))
            return true;
        Why ??= $"{what} in line {LineOf(operation)} is a tensor whose shape nothing tells";
        return true;
    }

    private bool IsMadeOfNumbers(FlowValue value) => BodyFlow.Settled(value) is Computed { Operation: IInvocationOperation call } && call.TargetMethod.Name switch
    {
        "tensor" or "as_tensor" or "scalar_tensor" => true,
        "full_like" or "zeros_like" or "ones_like" => TensorSteps.TensorOf(call) is { } like && Follow(flow.ValueOf(like)),
        "sqrt" or "rsqrt" or "to" or "reciprocal" => TensorSteps.TensorOf(call) is { } inner && IsMadeOfNumbers(flow.ValueOf(inner)),
        _ => false,
    };

    private static IOperation Plain(IOperation operation) => operation is IConversionOperation conversion ? Plain(conversion.Operand) : operation;

    public static int LineOf(IOperation operation) => operation.Syntax.GetLocation().GetLineSpan().StartLinePosition.Line + 1;
}
