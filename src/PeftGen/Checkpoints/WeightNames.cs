using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>
/// Finds a model's tensors in a folder whose names differ from its own as those of Hugging Face's checkpoints do: a base that was saved alone, or with another head; compiled and parallel modules; LayerNorms of old
/// exports.
/// </summary>
internal sealed class WeightNames
{
    // What torch.compile and DistributedDataParallel put before names.
    private const string Compiled = "_orig_mod", Parallel = "module";
    private const int LongestPrefix = 2;

    private readonly Dictionary<string, string> _sources = [];
    private readonly HashSet<string> _wanted;

    /// <param name="found">The names in the folder.</param>
    /// <param name="wanted">The names that the model asks for.</param>
    public WeightNames(IEnumerable<string> found, IEnumerable<string> wanted)
    {
        _wanted = wanted.ToHashSet(StringComparer.Ordinal);
        foreach (var name in found)
            _sources[_wanted.Contains(name) ? name : Plain(name)] = name;
        (Removed, Added) = Prefixes();
    }

    /// <summary>What the folder's names begin with and the model's do not; empty: nothing.</summary>
    public string Removed { get; }

    /// <summary>What the model's names begin with and the folder's do not; empty: nothing.</summary>
    public string Added { get; }

    /// <summary>The name in the folder of what the model asks for; null: there is none.</summary>
    public string? SourceOf(string wanted) =>
        _sources.GetValueOrDefault(wanted)
        ?? (Removed.Length > 0 ? _sources.GetValueOrDefault(Removed + wanted) : null)
        ?? (Added.Length > 0 && wanted.StartsWith(Added, StringComparison.Ordinal) ? _sources.GetValueOrDefault(wanted[Added.Length..]) : null);

    /// <summary>Whether a tensor is a buffer that models of old exports kept and that is computed now.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="entry">Its type and shape.</param>
    public static bool IsOldBuffer(string name, SafetensorsEntry entry)
    {
        var isNumber = is_floating_point(entry.DType);
        return name.Split('.') switch
        {
            [.., "position_ids" or "token_type_ids"] => !isNumber,
            [.., "inv_freq"] => entry.Shape.Length == 1,
            [.., "cos_cached" or "sin_cached"] => name.Contains("rotary", StringComparison.Ordinal),
            // The causal mask, and what stands in for minus infinity.
            [.., "attn" or "attention" or "self_attn", "bias"] => entry.Shape.Length == 4,
            [.., "attn" or "attention" or "self_attn", "masked_bias"] => entry.Shape.Length == 0,
            _ => false,
        };
    }

    /// <summary>Whether a list names a tensor, or a module above it.</summary>
    public static bool IsNamed(IReadOnlySet<string>? list, string name)
    {
        if (list is null)
            return false;
        for (var end = name.Length; end > 0; end = name.LastIndexOf('.', end - 1))
            if (list.Contains(name[..end]))
                return true;
        return false;
    }

    private string Plain(string name)
    {
        var segments = name.Split('.').Where(segment => segment != Compiled).ToList();
        if (segments[0] == Parallel && !_wanted.Any(w => w.StartsWith(Parallel + ".", StringComparison.Ordinal)))
            segments.RemoveAt(0);
        // As BERT's LayerNorms came out of TensorFlow.
        if (segments is [.., var norm, "gamma" or "beta"] && norm.Contains("norm", StringComparison.OrdinalIgnoreCase))
            segments[^1] = segments[^1] == "gamma" ? "weight" : "bias";
        return string.Join('.', segments);
    }

    /// <summary>The prefix with which most of the names meet, where fewer do as they are.</summary>
    private (string removed, string added) Prefixes()
    {
        var best = (removed: "", added: "", met: _wanted.Count(_sources.ContainsKey));
        foreach (var prefix in Beginnings(_sources.Keys))
            if (_wanted.Count(name => _sources.ContainsKey(prefix + name)) is var met && met > best.met)
                best = (prefix, "", met);
        foreach (var prefix in Beginnings(_wanted))
            if (_wanted.Count(name => name.StartsWith(prefix, StringComparison.Ordinal) && _sources.ContainsKey(name[prefix.Length..])) is var met && met > best.met)
                best = ("", prefix, met);
        return (best.removed, best.added);
    }

    private static IEnumerable<string> Beginnings(IEnumerable<string> names) =>
        names.Select(name => name.Split('.')).SelectMany(segments => Enumerable.Range(1, Math.Min(LongestPrefix, segments.Length - 1)).Select(n => string.Join('.', segments[..n]) + ".")).Distinct();
}
