using PeftGen.Checkpoints;

namespace PeftGen;

/// <summary>What only the root of an adapter has: the values that it was made with, what its slots share, and where it comes from.</summary>
internal sealed class AdapterRoot
{
    private readonly Func<AdaptAttribute, IReadOnlyDictionary<Claim, IReadOnlyList<string>>> _fileTargets;
    private readonly IReadOnlyDictionary<Slot, AdaptAttribute> _methodOf;

    public AdapterRoot(
        IReadOnlyList<AdaptAttribute> methods,
        IReadOnlyList<Slot> shared,
        IReadOnlyDictionary<Slot, AdaptAttribute> methodOf,
        DropoutSource dropout,
        Func<AdaptAttribute, IReadOnlyDictionary<Claim, IReadOnlyList<string>>> fileTargets)
    {
        Methods = methods;
        Shared = shared;
        Dropout = dropout;
        _methodOf = methodOf;
        _fileTargets = fileTargets;
    }

    /// <summary>The root of an adapter that is composed of others.</summary>
    /// <param name="composition">The way of composing.</param>
    /// <param name="parts">The others.</param>
    public AdapterRoot(string composition, IReadOnlyList<AdapterNode> parts)
    {
        Composition = composition;
        Parts = parts;
        var roots = parts.Select(part => part.Root).OfType<AdapterRoot>().ToList();
        Methods = roots.SelectMany(root => root.Methods).ToList();
        Shared = roots.SelectMany(root => root.Shared).Distinct().ToList();
        _methodOf = new Dictionary<Slot, AdaptAttribute>();
        _fileTargets = method => throw new AdapterException($"{method}: an adapter made by {composition}.Of has no file of its own. Save its parts one by one.");
    }

    /// <summary>The methods in the order of the group.</summary>
    public IReadOnlyList<AdaptAttribute> Methods { get; }

    /// <summary>What several slots share.</summary>
    public IReadOnlyList<Slot> Shared { get; }

    /// <summary>The adapter's own dropout; null for a composition, whose parts have theirs.</summary>
    public DropoutSource? Dropout { get; }

    /// <summary>The dropout of the adapter, or of all its parts.</summary>
    public IEnumerable<DropoutSource> DropoutSources => Dropout is { } own ? [own] : Parts.SelectMany(part => part.Root!.DropoutSources).Distinct();

    /// <summary>The way of composing, for example <c>Stack</c>; null for an adapter of its own.</summary>
    public string? Composition { get; }

    /// <summary>What the adapter is composed of.</summary>
    public IReadOnlyList<AdapterNode> Parts { get; } = [];

    /// <summary>The configuration that the adapter was loaded with: its unknown fields are written again.</summary>
    public AdapterConfig? Loaded { get; set; }

    /// <summary>The targets of a method in HF PEFT's words.</summary>
    public IReadOnlyDictionary<Claim, IReadOnlyList<string>> FileTargets(AdaptAttribute method) => _fileTargets(method);

    /// <summary>The method that made a slot.</summary>
    public AdaptAttribute? MethodOf(Slot slot) =>
        _methodOf.GetValueOrDefault(slot) ?? Parts.Select(part => part.Root?.MethodOf(slot)).FirstOrDefault(method => method is not null);
}

/// <summary>The root of an adapter of one group. Generated types implement it; extension methods save and describe it.</summary>
public interface IAdapter;
