namespace PeftGen;

/// <summary>What only the root of an adapter has: the values that it was made with and what its slots share.</summary>
internal sealed class AdapterRoot(
    IReadOnlyList<AdaptAttribute> methods, IReadOnlyList<Slot> shared, Func<AdaptAttribute, IReadOnlyDictionary<Claim, IReadOnlyList<string>>> fileTargets)
{
    /// <summary>The methods in the order of the group.</summary>
    public IReadOnlyList<AdaptAttribute> Methods { get; } = methods;

    /// <summary>What several slots share.</summary>
    public IReadOnlyList<Slot> Shared { get; } = shared;

    /// <summary>The targets of a method in HF PEFT's words.</summary>
    public IReadOnlyDictionary<Claim, IReadOnlyList<string>> FileTargets(AdaptAttribute method) => fileTargets(method);
}

/// <summary>The root of an adapter of one group. Generated types implement it; extension methods save and describe it.</summary>
public interface IAdapter;
