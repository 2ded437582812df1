using static TorchSharp.torch;

namespace PeftGen.Compiled;

/// <summary>Runs children whose class is known only at run time: through their node, or alone where they have none.</summary>
public static class AbstractCalls
{
    /// <summary>Runs a child through its node, or alone where it has none.</summary>
    public static TResult forward<T, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T, TResult> host, T input) =>
        node is null ? host.forward(input) : ((IAdapted<T, TResult>)host).forward(node, context, input);

    /// <summary>As <see cref="forward{T, TResult}"/>, between the child's own hooks.</summary>
    public static TResult call<T, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T, TResult> host, T input) =>
        node is null ? host.call(input) : ((IAdapted<T, TResult>)host).call(node, context, input);

    /// <inheritdoc cref="forward{T, TResult}"/>
    public static TResult forward<T1, T2, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, TResult> host, T1 input1, T2 input2) =>
        node is null ? host.forward(input1, input2) : ((IAdapted<T1, T2, TResult>)host).forward(node, context, input1, input2);

    /// <inheritdoc cref="call{T, TResult}"/>
    public static TResult call<T1, T2, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, TResult> host, T1 input1, T2 input2) =>
        node is null ? host.call(input1, input2) : ((IAdapted<T1, T2, TResult>)host).call(node, context, input1, input2);

    /// <inheritdoc cref="forward{T, TResult}"/>
    public static TResult forward<T1, T2, T3, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, TResult> host, T1 input1, T2 input2, T3 input3) =>
        node is null ? host.forward(input1, input2, input3) : ((IAdapted<T1, T2, T3, TResult>)host).forward(node, context, input1, input2, input3);

    /// <inheritdoc cref="call{T, TResult}"/>
    public static TResult call<T1, T2, T3, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, TResult> host, T1 input1, T2 input2, T3 input3) =>
        node is null ? host.call(input1, input2, input3) : ((IAdapted<T1, T2, T3, TResult>)host).call(node, context, input1, input2, input3);

    /// <inheritdoc cref="forward{T, TResult}"/>
    public static TResult forward<T1, T2, T3, T4, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, T4, TResult> host, T1 input1, T2 input2, T3 input3, T4 input4) =>
        node is null ? host.forward(input1, input2, input3, input4) : ((IAdapted<T1, T2, T3, T4, TResult>)host).forward(node, context, input1, input2, input3, input4);

    /// <inheritdoc cref="call{T, TResult}"/>
    public static TResult call<T1, T2, T3, T4, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, T4, TResult> host, T1 input1, T2 input2, T3 input3, T4 input4) =>
        node is null ? host.call(input1, input2, input3, input4) : ((IAdapted<T1, T2, T3, T4, TResult>)host).call(node, context, input1, input2, input3, input4);

    /// <inheritdoc cref="forward{T, TResult}"/>
    public static TResult forward<T1, T2, T3, T4, T5, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, T4, T5, TResult> host, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5) =>
        node is null ? host.forward(input1, input2, input3, input4, input5) : ((IAdapted<T1, T2, T3, T4, T5, TResult>)host).forward(node, context, input1, input2, input3, input4, input5);

    /// <inheritdoc cref="call{T, TResult}"/>
    public static TResult call<T1, T2, T3, T4, T5, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, T4, T5, TResult> host, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5) =>
        node is null ? host.call(input1, input2, input3, input4, input5) : ((IAdapted<T1, T2, T3, T4, T5, TResult>)host).call(node, context, input1, input2, input3, input4, input5);

    /// <inheritdoc cref="forward{T, TResult}"/>
    public static TResult forward<T1, T2, T3, T4, T5, T6, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, T4, T5, T6, TResult> host, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5, T6 input6) =>
        node is null ? host.forward(input1, input2, input3, input4, input5, input6) : ((IAdapted<T1, T2, T3, T4, T5, T6, TResult>)host).forward(node, context, input1, input2, input3, input4, input5, input6);

    /// <inheritdoc cref="call{T, TResult}"/>
    public static TResult call<T1, T2, T3, T4, T5, T6, TResult>(
        this AdapterNode? node, ForwardContext context, nn.Module<T1, T2, T3, T4, T5, T6, TResult> host, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5, T6 input6) =>
        node is null ? host.call(input1, input2, input3, input4, input5, input6) : ((IAdapted<T1, T2, T3, T4, T5, T6, TResult>)host).call(node, context, input1, input2, input3, input4, input5, input6);
}
