using static TorchSharp.torch;

namespace PeftGen.Compiled;

/// <summary>Runs children whose class is known only at run time.</summary>
public static class AbstractCalls
{
    /// <summary>Runs a child through its node, or alone where it has none.</summary>
    public static TResult forward<T1, T2, TResult>(this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, TResult> host, T1 input1, T2 input2) =>
        node is null ? host.forward(input1, input2) : ((IAdapted<T1, T2, TResult>)host).forward(node, context, input1, input2);

    /// <inheritdoc cref="forward{T1, T2, TResult}"/>
    public static TResult forward<T1, T2, T3, TResult>(this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, TResult> host, T1 input1, T2 input2, T3 input3) =>
        node is null ? host.forward(input1, input2, input3) : ((IAdapted<T1, T2, T3, TResult>)host).forward(node, context, input1, input2, input3);

    /// <inheritdoc cref="forward{T1, T2, TResult}"/>
    public static TResult forward<T1, T2, T3, T4, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, T4, TResult> host, T1 input1, T2 input2, T3 input3, T4 input4) =>
        node is null ? host.forward(input1, input2, input3, input4) : ((IAdapted<T1, T2, T3, T4, TResult>)host).forward(node, context, input1, input2, input3, input4);
}
