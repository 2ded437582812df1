using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// UniPELT: a prefix at every attention, a serial adapter after the feed-forward network and LoRA on queries and values, each with gates that learn for every example
/// and layer how much of it to use.
/// </summary>
/// <remarks>
/// Mao et al., "UniPELT: A Unified Framework for Parameter-Efficient Language Model Tuning", 2022. A gate is <c>g = mean over tokens of σ(w·x + b)</c>; it multiplies the prefix
/// and the adapter's output, and takes the place of LoRA's <c>alpha / rank</c>. The gates' values are in <see cref="ForwardOptions.Records"/>, by layer with <see cref="GateRecords.ByLayer"/>.
/// The same as <c>[PrefixTuning(…), Bottleneck(…), LoRA(…)]</c> with <c>Gated = true</c>, as which its file is read and written; AdapterHub's <c>UniPELTConfig</c> opens, too.
/// Not the identity at the start, and cannot be merged.
/// </remarks>
/// <param name="rank">LoRA's rank. Default: 8.</param>
/// <param name="length">The prefix's number of positions. Default: 10.</param>
/// <param name="reduction">How many times narrower the adapter's bottleneck is than the model. Default: 16, which makes 48 of BERT-base's 768.</param>
/// <param name="loraTargets">The layers with LoRA; null: none. Default: queries and values.</param>
/// <param name="prefixTargets">The modules whose attention has a prefix; null: none. Default: all.</param>
/// <param name="adapterTargets">The modules whose residual sites have an adapter; null: none. Default: the feed-forward networks'.</param>
[Merges(false), AtLeastOne(nameof(LoraTargets), nameof(PrefixTargets), nameof(AdapterTargets))]
public sealed class UniPELT(
    [InRange(1, 65536)] int rank = 8, [InRange(1, 65536)] int length = 10, [InRange(1, 4096)] double reduction = 16,
    string? loraTargets = "q,v", string? prefixTargets = "**", string? adapterTargets = "ffn") : CombinedMethod
{
    /// <summary>LoRA's rank.</summary>
    [OnlyWith(nameof(LoraTargets))]
    public int Rank { get; } = rank;

    /// <summary>The prefix's number of positions.</summary>
    [Adapts(SiteKind.Input, Targets = "**"), OnlyWith(nameof(PrefixTargets))]
    public int Length { get; } = length;

    /// <summary>How many times narrower the adapter's bottleneck is than the model.</summary>
    [OnlyWith(nameof(AdapterTargets))]
    public double Reduction { get; } = reduction;

    /// <summary>The layers with LoRA; null: none.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], TakesParts = true)]
    public string? LoraTargets { get; } = loraTargets;

    /// <summary>The modules whose attention has a prefix; null: none.</summary>
    [Adapts(SiteKind.Attention, Exclusive = PrefixTable.Kind, Needs = "k", NeedsUnless = nameof(KeyWidth))]
    public string? PrefixTargets { get; } = prefixTargets;

    /// <summary>The modules whose residual sites have an adapter; null: none.</summary>
    [Adapts(SiteKind.Residual)]
    public string? AdapterTargets { get; } = adapterTargets;

    /// <summary>The hidden width of the network that makes the prefix while it trains; 0: none. Default: 512.</summary>
    [InRange(0, 1 << 20), OnlyWith(nameof(PrefixTargets))]
    public int Projection { get; set; } = 512;

    /// <summary>Where the text stands beside the prefix. Default: where it stands without it; AdapterHub's is <see cref="PrefixPositions.Kept"/>, which differs from this in T5 alone.</summary>
    [OnlyWith(nameof(PrefixTargets))]
    public PrefixPositions Positions { get; set; } = PrefixPositions.Unmoved;

    /// <summary>Over which tokens the gates take their means. Default: real ones; all, padding too, as AdapterHub and the authors' code do, makes outputs depend on the padding of the batch.</summary>
    public GatePooling Pooling { get; set; } = GatePooling.Masked;

    /// <summary>The width of the states, where the model does not show it; see <see cref="Bottleneck.Width"/>. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24), OnlyWith(nameof(AdapterTargets))]
    public int Width { get; set; }

    /// <summary>The width of the keys, where the model does not show it; see <see cref="PrefixTuning.KeyWidth"/>. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24), OnlyWith(nameof(PrefixTargets))]
    public int KeyWidth { get; set; }

    /// <inheritdoc/>
    protected override IEnumerable<AdaptAttribute> MakeParts()
    {
        if (PrefixTargets is null && AdapterTargets is null && LoraTargets is null)
            throw new AdapterException($"{this} names none of its parts, expected targets of the prefix, the adapter or LoRA.");
        if (PrefixTargets is not null)
            yield return new PrefixTuning(Length, PrefixTargets, Positions) { Projection = Projection, KeyWidth = KeyWidth, Gated = true, Pooling = Pooling, Group = Group };
        if (AdapterTargets is not null)
            yield return new Bottleneck(Reduction, AdapterTargets) { Width = Width, Gated = true, Pooling = Pooling, Group = Group };
        if (LoraTargets is not null)
            yield return new LoRA(Rank, targets: LoraTargets) { Gated = true, Pooling = Pooling, Group = Group };
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(UniPELT))
        .Argument("rank", Rank, 8).Argument("length", Length, 10).Argument("reduction", Reduction, 16.0)
        .Argument("loraTargets", LoraTargets, "q,v").Argument("prefixTargets", PrefixTargets, "**").Argument("adapterTargets", AdapterTargets, "ffn")
        .Property(nameof(Projection), Projection, 512).Property(nameof(Positions), Positions, PrefixPositions.Unmoved)
        .Property(nameof(Pooling), Pooling, GatePooling.Masked).Property(nameof(Width), Width, 0).Property(nameof(KeyWidth), KeyWidth, 0).Common(this).ToString();
}
