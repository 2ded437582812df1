using System.Reflection;
using System.Text.RegularExpressions;
using PeftGen.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The base's parameters as they were.</summary>
internal sealed class BaseState(IReadOnlyDictionary<string, byte[]> bits)
{
    public static BaseState Of(nn.Module model) => new(model.named_parameters().ToDictionary(p => p.name, p => Bits(p.parameter)));

    public void RequireSameBits(nn.Module model, string after)
    {
        foreach (var (name, parameter) in model.named_parameters())
            if (!bits[name].AsSpan().SequenceEqual(Bits(parameter)))
                throw new ParityException($"{name}: {after} changed the base's bits");
    }

    private static byte[] Bits(Tensor tensor)
    {
        using var detached = tensor.detach();
        using var copy = detached.cpu().contiguous().clone();
        return copy.bytes.ToArray();
    }
}

/// <summary>Merging and taking it back.</summary>
internal static class MergeCheck
{
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
        before.RequireSameBits(host.Model, "unmerging");
        if (expected.Has("unmerged_logits"))
            expected.Compare("unmerged_logits", host.Run(adapter, inputs), tolerance);
    }
}

/// <summary>Recorded values of gates, under the keys of the recorded cases.</summary>
internal static class Gates
{
    public static void Compare(IReadOnlyDictionary<string, Tensor> records, string adapter, ExpectedTensors expected, double tolerance)
    {
        // A record's name is the slot's path, a colon, and the kind of site; layers are counted by the first number in the path.
        var byKey = records.Select(r => (r.Value, path: r.Key[..r.Key.LastIndexOf(':')], site: r.Key[(r.Key.LastIndexOf(':') + 1)..]))
            .GroupBy(r => $"gate.{adapter}.{Regex.Match(r.path, @"\d+").Value}.{r.site}");
        foreach (var group in byKey)
            if (expected.Has(group.Key))
                expected.Compare(group.Key, group.Count() == 1 ? group.First().Value : stack(group.Select(g => g.Value).ToArray(), 1), tolerance);
            else if (expected.Keys("gate.").Count > 0)
                throw new ParityException($"{group.Key}: a gate that the reference has not");
    }
}

/// <summary>Our files beside the reference's.</summary>
internal static class SavedFile
{
    public static void Save(AdapterNode adapter, string folder)
    {
        // Save is an extension method on the group's type, which exists only at run time.
        var save = typeof(AdapterNode).Assembly.GetTypes().SelectMany(t => t.GetMethods(BindingFlags.Public | BindingFlags.Static))
            .Single(m => m.Name == "Save" && m.IsGenericMethodDefinition && m.GetParameters() is [{ ParameterType.IsGenericParameter: true }, { ParameterType: var path }, ..] && path == typeof(string));
        object?[] arguments = [adapter, folder, .. save.GetParameters().Skip(2).Select(p => p.DefaultValue)];
        save.MakeGenericMethod(adapter.GetType()).Invoke(null, BindingFlags.DoNotWrapExceptions, null, arguments, null);
    }

    public static void RequireSame(string reference, string ours)
    {
        using var theirs = SafetensorsFile.Open(reference);
        using var own = SafetensorsFile.Open(ours);
        var surplus = own.Names.Except(theirs.Names).ToList();
        var missing = theirs.Names.Except(own.Names).ToList();
        if (surplus.Count + missing.Count > 0)
            throw new ParityException($"our file: surplus {string.Join(", ", surplus.DefaultIfEmpty("none"))}, missing {string.Join(", ", missing.DefaultIfEmpty("none"))}");
        foreach (var name in theirs.Names)
        {
            using var a = theirs.Read(name);
            using var b = own.Read(name);
            if (!a.shape.SequenceEqual(b.shape) || a.dtype != b.dtype || !a.bytes.SequenceEqual(b.bytes))
                throw new ParityException($"our file: {name} differs from the reference's");
        }
    }
}
