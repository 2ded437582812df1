using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>Merging and taking it back.</summary>
internal static class MergeCheck
{
    /// <summary>Merges, compares what the case has of it, unmerges, and requires the base's bits.</summary>
    public static void Run(CompiledHost host, AdapterNode adapter, Inputs inputs, ExpectedTensors expected, double tolerance, BaseState before)
    {
        using var quiet = no_grad();
        host.Merge(adapter);
        if (expected.Has("merged_logits"))
        {
            expected.Compare("merged_logits", host.Run(inputs), tolerance);
            expected.Compare("merged_logits", host.Run(adapter, inputs), tolerance);
        }

        var parameters = host.Model.named_parameters().ToDictionary(p => p.name, p => p.parameter);
        foreach (var key in expected.Keys("merged."))
            expected.Compare(key, parameters.GetValueOrDefault(key["merged.".Length..]) ?? throw new ParityException($"{key}: the host has no such parameter"), tolerance);
        host.Unmerge(adapter);
        before.RequireSameBits("unmerging");
        if (expected.Has("unmerged_logits"))
            expected.Compare("unmerged_logits", host.Run(adapter, inputs), tolerance);
    }

    /// <summary>Where the reference merges wrongly, a right merge gives what the adapter gives; one that cannot be right refuses.</summary>
    public static void RequireRight(CompiledHost host, AdapterNode adapter, Inputs inputs, ExpectedTensors expected, double tolerance, BaseState before)
    {
        using var quiet = no_grad();
        try
        {
            host.Merge(adapter);
        }
        catch (AdapterException)
        {
            before.RequireSameBits("a refused merge");
            return;
        }

        expected.Compare("logits", host.Run(inputs), tolerance);
        host.Unmerge(adapter);
        before.RequireSameBits("unmerging");
    }

    /// <summary>Requires that an adapter has no merge, or that it refuses and leaves the base alone.</summary>
    public static void RequireRefusal(CompiledHost host, AdapterNode adapter, BaseState before)
    {
        if (!host.CanMerge(adapter))
            return;
        try
        {
            host.Merge(adapter);
        }
        catch (AdapterException)
        {
            before.RequireSameBits("a refused merge");
            return;
        }

        throw new ParityException("the reference cannot merge this adapter, and ours was merged");
    }
}
