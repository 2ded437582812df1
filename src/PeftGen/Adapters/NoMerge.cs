namespace PeftGen;

/// <summary>What <c>adapter.MergeInto(model)</c> means where the adapter's own type has no such method.</summary>
public static class NoMerge
{
    private const string Reason = "The adapter's type has no such method for this model. Where the methods of its group cannot all be merged (PG034 names the one), run the model with its adapter, " +
        "or give those that can a group of their own; merge the parts of Stack.Of, and what Rows.Of made not at all. Else the model is of another class than the adapter's.";

    /// <summary>Does not compile: the adapter's group cannot be merged.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="model">The model.</param>
    /// <param name="keepBase">Whether to keep a copy of the base's weights.</param>
    [Obsolete(Reason, error: true)]
    public static void MergeInto(this AdapterNode adapter, TorchSharp.torch.nn.Module model, bool keepBase = true) => throw new AdapterException(Reason);

    /// <inheritdoc cref="MergeInto"/>
    [Obsolete(Reason, error: true)]
    public static void UnmergeFrom(this AdapterNode adapter, TorchSharp.torch.nn.Module model) => throw new AdapterException(Reason);
}
