using System.Text.Json.Nodes;

namespace PeftGen;

/// <summary>
/// A method that stands for several: an adapter of it is one of its <see cref="AdaptAttribute.Parts"/>, which act together as attributes of one group do, and its
/// file is theirs. The first of them carries <see cref="AdaptAttribute.ModulesToSave"/> on.
/// </summary>
[Merges(false)]
public abstract class CombinedMethod : AdaptAttribute
{
    private IReadOnlyList<AdaptAttribute>? _parts;

    /// <inheritdoc/>
    public sealed override IReadOnlyList<AdaptAttribute> Parts => _parts ??= WithModules(MakeParts().ToList());

    /// <summary>The methods with their values.</summary>
    /// <exception cref="AdapterException">None is left.</exception>
    protected abstract IEnumerable<AdaptAttribute> MakeParts();

    /// <inheritdoc/>
    public sealed override IReadOnlyList<Claim> Claims => [.. Parts.SelectMany(part => part.Claims)];

    /// <inheritdoc/>
    public sealed override bool CanMerge => Parts.All(part => part.CanMerge);

    /// <inheritdoc/>
    public sealed override string PeftType => Checkpoints.AdapterConfig.GroupType;

    /// <inheritdoc/>
    public sealed override bool Reads(JsonObject config) => false;

    /// <inheritdoc/>
    public sealed override Slot CreateSlot(Site site) => throw OfParts();

    /// <inheritdoc/>
    public sealed override AdaptAttribute ReadConfig(JsonObject config) => throw OfParts();

    /// <inheritdoc/>
    public sealed override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) => throw OfParts();

    private List<AdaptAttribute> WithModules(List<AdaptAttribute> parts)
    {
        if (ModulesToSave is not null)
            parts[0].ModulesToSave = ModulesToSave;
        return parts;
    }

    private AdapterException OfParts() => new($"{this} stands for {string.Join(" ", Parts)}: slots and files are of those. Ask its Parts.");
}
