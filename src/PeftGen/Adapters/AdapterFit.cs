using System.Runtime.CompilerServices;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>What an adapter was made for: the sites of a model with the shapes of their parameters.</summary>
internal sealed class AdapterFit
{
    private readonly Dictionary<string, string> _sites;

    // Those of a model are compared once; an adapter holds nothing of a model.
    private readonly ConditionalWeakTable<nn.Module, object> _fitting = [];

    /// <param name="host">The model.</param>
    /// <param name="adapter">The adapter that was made for it.</param>
    public AdapterFit(nn.Module host, AdapterNode adapter)
    {
        _sites = SitesOf(host, adapter);
        _fitting.Add(host, host);
    }

    /// <summary>Throws where an adapter cannot run over a model, be merged into it or be saved.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="verb">What is wanted of it.</param>
    /// <param name="host">The model; null: none.</param>
    /// <exception cref="AdapterException">There is no adapter, it is disposed, or it is another model's.</exception>
    public static void Require(AdapterNode? adapter, string verb, nn.Module? host = null)
    {
        if (adapter is null)
            throw new AdapterException($"cannot {verb}: the adapter is null. Give what CreateAdapter or LoadAdapter returned; to run the model alone, call it without an adapter.");
        if (adapter.IsDisposed)
            throw new AdapterException($"cannot {verb}: the adapter is disposed, so its numbers are gone. Dispose it after its last use, or load it again.");
        if (adapter.Root is not { } root)
            return;
        foreach (var part in root.Parts)
            Require(part, verb, host);
        if (host is not null)
            root.Fit?.RequireSame(adapter, verb, host);
    }

    private void RequireSame(AdapterNode adapter, string verb, nn.Module host)
    {
        if (_fitting.TryGetValue(host, out _))
            return;
        var found = SitesOf(host, adapter);
        if (_sites.FirstOrDefault(site => found.GetValueOrDefault(site.Key) != site.Value) is { Key: { } path, Value: var shapes })
            throw new AdapterException(
                $"cannot {verb}: the adapter is another model's. It was made where {(path.Length == 0 ? "the model" : path)} has {shapes}, and here is {found.GetValueOrDefault(path, "nothing of the kind")}. " +
                "Give what this model's own CreateAdapter or LoadAdapter returned.");
        _fitting.AddOrUpdate(host, host);
    }

    private static Dictionary<string, string> SitesOf(nn.Module host, AdapterNode adapter)
    {
        var sites = new Dictionary<string, string>();
        foreach (var (slot, part) in adapter.Pairs(host))
            sites.TryAdd(slot.Path, ShapesOf(part));
        return sites;
    }

    private static string ShapesOf(HostPart part) => part.Parameter is { } parameter ? $"[{string.Join(", ", parameter.shape)}]"
        : part.Module.named_parameters(recurse: false).ToList() is { Count: > 0 } parameters ? string.Join(", ", parameters.Select(p => $"{p.name} [{string.Join(", ", p.parameter.shape)}]"))
        : part.Module.GetType().Name;
}
