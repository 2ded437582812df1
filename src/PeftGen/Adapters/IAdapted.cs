using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A module whose class the compiler extended. Generated code implements it.</summary>
public interface IAdaptable
{
    /// <summary>An empty node of the class's <c>Adapter</c>.</summary>
    AdapterNode NewAdapterNode();
}

/// <summary>A compiled module that can be run through an adapter where only its abstract type is known.</summary>
public interface IAdapted<in T, out TResult> : IAdaptable
{
    /// <summary>Runs the module through its node.</summary>
    TResult forward(AdapterNode adapter, ForwardContext context, T input);

    /// <summary>Runs the module through its node, between the module's own hooks.</summary>
    TResult call(AdapterNode adapter, ForwardContext context, T input);
}

/// <inheritdoc cref="IAdapted{T, TResult}"/>
public interface IAdapted<in T1, in T2, out TResult> : IAdaptable
{
    /// <summary>Runs the module through its node.</summary>
    TResult forward(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2);

    /// <summary>Runs the module through its node, between the module's own hooks.</summary>
    TResult call(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2);
}

/// <inheritdoc cref="IAdapted{T, TResult}"/>
public interface IAdapted<in T1, in T2, in T3, out TResult> : IAdaptable
{
    /// <summary>Runs the module through its node.</summary>
    TResult forward(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3);

    /// <summary>Runs the module through its node, between the module's own hooks.</summary>
    TResult call(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3);
}

/// <inheritdoc cref="IAdapted{T, TResult}"/>
public interface IAdapted<in T1, in T2, in T3, in T4, out TResult> : IAdaptable
{
    /// <summary>Runs the module through its node.</summary>
    TResult forward(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3, T4 input4);

    /// <summary>Runs the module through its node, between the module's own hooks.</summary>
    TResult call(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3, T4 input4);
}

/// <inheritdoc cref="IAdapted{T, TResult}"/>
public interface IAdapted<in T1, in T2, in T3, in T4, in T5, out TResult> : IAdaptable
{
    /// <summary>Runs the module through its node.</summary>
    TResult forward(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5);

    /// <summary>Runs the module through its node, between the module's own hooks.</summary>
    TResult call(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5);
}

/// <inheritdoc cref="IAdapted{T, TResult}"/>
public interface IAdapted<in T1, in T2, in T3, in T4, in T5, in T6, out TResult> : IAdaptable
{
    /// <summary>Runs the module through its node.</summary>
    TResult forward(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5, T6 input6);

    /// <summary>Runs the module through its node, between the module's own hooks.</summary>
    TResult call(AdapterNode adapter, ForwardContext context, T1 input1, T2 input2, T3 input3, T4 input4, T5 input5, T6 input6);
}
