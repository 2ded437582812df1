using System.Diagnostics.CodeAnalysis;

namespace PeftGen;

/// <summary>Several adapters of one model that apply together.</summary>
public static class Stack
{
    /// <summary>
    /// Composes adapters so that each acts around those before it: what LoRA adapters add to a layer is summed, as in HF PEFT when
    /// several are active. The parts stay adapters of their own: training the result trains them, disposing it disposes none of them.
    /// </summary>
    /// <typeparam name="T">The adapters' type; for adapters of several groups the class's own: <c>Stack.Of&lt;Llama.Adapter&gt;(a, b)</c>.</typeparam>
    /// <param name="adapters">The adapters, the first next to the base.</param>
    /// <returns>An adapter that refers to the parts.</returns>
    /// <exception cref="AdapterException">Two parts cannot act on one site together; the message names it.</exception>
    public static T Of<[DynamicallyAccessedMembers(AdapterComposition.Constructors)] T>(params T[] adapters) where T : AdapterNode
    {
        foreach (var adapter in adapters ?? [null!])
            AdapterFit.Require(adapter, "compose adapters with Stack.Of");
        if (adapters!.Length == 0)
            throw new AdapterException("Stack.Of was called without adapters. Name those that are to apply together.");
        if (adapters.Distinct().Count() < adapters.Length)
            throw new AdapterException("Stack.Of was given the same adapter twice, which would apply it twice with one set of parameters. Name each adapter once.");
        return new AdapterComposition(new StackedSites(), nameof(Stack)).Of<T>(adapters);
    }
}

/// <summary>What stands at a site of a stack.</summary>
internal sealed class StackedSites : ISiteComposition
{
    public LayerSlot Layer(string path, IReadOnlyList<LayerSlot?> parts)
    {
        var slots = parts.OfType<LayerSlot>().SelectMany(slot => slot is ChainedLayer chain ? chain.Chain : [slot]).ToList();
        if (slots.Count(slot => slot.ReplacesHost) > 1)
            throw new AdapterException(
                $"{path}: {slots.Count(slot => slot.ReplacesHost)} of the adapters hold a trained copy of this layer, and only one can run. Stack adapters of which at most one trains it whole.");
        return parts.OfType<LayerSlot>().ToList() is [var only] ? only : new ChainedLayer(path, slots, lent: true);
    }

    public ParameterSlot Parameter(string path, IReadOnlyList<ParameterSlot?> parts) =>
        Only(path, parts, "holds its own value of this parameter, and the code can read only one");

    public ResidualSlot Residual(string path, IReadOnlyList<ResidualSlot?> parts) =>
        Only(path, parts, "takes this residual's sum for itself");

    public AttentionSlot Attention(string path, IReadOnlyList<AttentionSlot?> parts) =>
        parts.OfType<AttentionSlot>().ToList() is [var only] ? only : new ChainedAttention(path, parts.OfType<AttentionSlot>(), lent: true);

    public OutputSlot Output(string path, IReadOnlyList<OutputSlot?> parts) =>
        parts.OfType<OutputSlot>().ToList() is [var only] ? only : new ChainedOutput(path, parts.OfType<OutputSlot>(), lent: true);

    public InputSlot Input(string path, IReadOnlyList<InputSlot?> parts) =>
        parts.OfType<InputSlot>().ToList() is [var only] ? only : new ChainedInput(path, parts.OfType<InputSlot>(), lent: true);

    private static T Only<T>(string path, IReadOnlyList<T?> parts, string why) where T : Slot =>
        parts.OfType<T>().Distinct().ToList() is [var only] ? only
        : throw new AdapterException(
            $"{path}: {parts.OfType<T>().Count()} adapters of the stack ({string.Join(", ", parts.OfType<T>().Select(p => p.GetType().Name))}) want the same site, " +
            $"and each {why}. Stack adapters that meet at most at layers, or train them as one group.");
}
