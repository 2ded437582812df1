using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace PeftGen.Generators.Flow;

/// <summary>What TorchSharp's operations do with a tensor, as far as the path of a sub-layer's output is told by it.</summary>
internal static class TensorSteps
{
    private static readonly HashSet<string> _same =
    [
        "alias", "contiguous", "clone", "detach", "to", "to_type", "type", "cuda", "cpu", "half", "float", "double", "bfloat16", "requires_grad_",
        "MoveToOuterDisposeScope", "MoveToOtherDisposeScope", "DetachFromDisposeScope", "AttachToDisposeScope",
    ];

    private static readonly HashSet<string> _pointwise =
    [
        "mul_", "div", "div_", "divide", "true_divide", "neg", "neg_", "negative",
        "dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_dropout", "feature_alpha_dropout",
        "relu", "relu_", "relu6", "gelu", "silu", "mish", "tanh", "tanh_", "sigmoid", "sigmoid_", "elu", "selu", "celu", "leaky_relu",
        "hardswish", "hardtanh", "hardsigmoid", "softplus", "softsign", "logsigmoid", "nan_to_num", "clamp", "clamp_",
    ];

    private static readonly HashSet<string> _ofShapeAlone =
    [
        "shape", "dtype", "device", "device_type", "device_index", "ndim", "size", "dim", "numel", "stride", "names", "zeros_like", "ones_like", "empty_like", "full_like", "rand_like", "randn_like",
        "bernoulli", "new_zeros", "new_ones", "new_empty", "new_full", "new_tensor",
    ];

    /// <summary>The tensor of which an operation gives the same numbers; null: it changes them.</summary>
    public static IOperation? Same(IOperation operation) => operation is IInvocationOperation call && _same.Contains(call.TargetMethod.Name) ? TensorOf(call) : null;

    /// <summary>The operands of which one goes on through an operation that keeps width and place: casts, dropout, scaling, activations.</summary>
    public static IEnumerable<IOperation> Passed(IOperation operation) => operation switch
    {
        IBinaryOperation { OperatorKind: BinaryOperatorKind.Multiply } product => [product.LeftOperand, product.RightOperand],
        IBinaryOperation { OperatorKind: BinaryOperatorKind.Divide } quotient => [quotient.LeftOperand],
        ICompoundAssignmentOperation { OperatorKind: BinaryOperatorKind.Multiply } product => [product.Target, product.Value],
        ICompoundAssignmentOperation { OperatorKind: BinaryOperatorKind.Divide } quotient => [quotient.Target],
        IUnaryOperation { OperatorKind: UnaryOperatorKind.Minus } negative => [negative.Operand],
        IInvocationOperation call when call.TargetMethod.Name is "mul" or "multiply" && IsTorch(call.TargetMethod) => Tensors(call),
        IInvocationOperation call when (_same.Contains(call.TargetMethod.Name) || _pointwise.Contains(call.TargetMethod.Name)) && TensorOf(call) is { } tensor => [tensor],
        _ => [],
    };

    /// <summary>Whether an operation asks a tensor for its shape or type alone, so that none of its numbers go on.</summary>
    public static bool IsOfShapeAlone(IOperation operation) => operation switch
    {
        IPropertyReferenceOperation { Property: var property } => IsTorch(property) && _ofShapeAlone.Contains(property.Name),
        IInvocationOperation { TargetMethod: var method } => IsTorch(method) && _ofShapeAlone.Contains(method.Name),
        _ => false,
    };

    /// <summary>The tensor that one of TorchSharp's methods is called on, or takes first; null: it is not TorchSharp's.</summary>
    public static IOperation? TensorOf(IInvocationOperation call) => IsTorch(call.TargetMethod) ? Tensors(call).FirstOrDefault() : null;

    /// <summary>The tensor that a method is called on, and its arguments in the order of the parameters.</summary>
    public static IEnumerable<IOperation> Tensors(IInvocationOperation call)
    {
        if (call.Instance is { } instance)
            yield return instance;
        foreach (var argument in call.Arguments.OrderBy(a => a.Parameter?.Ordinal ?? 0))
            yield return argument.Value;
    }

    private static bool IsTorch(ISymbol member) => member.ContainingAssembly?.Name == "TorchSharp" && !IsModule(member.ContainingType);

    private static bool IsModule(INamedTypeSymbol? type)
    {
        for (; type is not null; type = type.BaseType)
            if (type.Name == "Module" && type.ContainingType?.Name == "nn")
                return true;
        return false;
    }
}
