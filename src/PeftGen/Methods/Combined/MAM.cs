using PeftGen.Methods;

namespace PeftGen;

/// <summary>MAM: a prefix at every attention and an adapter beside every feed-forward network.</summary>
/// <remarks>
/// He et al., "Towards a Unified View of Parameter-Efficient Transfer Learning", 2022. The same as <c>[PrefixTuning(…), ParallelAdapter(…)]</c>, as which its file is read and
/// written; AdapterHub's <c>MAMConfig</c> opens, too. Not the identity at the start because of the prefix, and cannot be merged.
/// </remarks>
/// <param name="length">The prefix's number of positions. Default: 30.</param>
/// <param name="reduction">How many times narrower the adapter's bottleneck is than the model. Default: 2.</param>
/// <param name="prefixTargets">The modules whose attention has a prefix. Default: all.</param>
/// <param name="adapterTargets">The modules whose residual sites have an adapter. Default: the feed-forward networks'.</param>
[Merges(false)]
public sealed class MAM(
    [InRange(1, 65536)] int length = 30, [InRange(0.001, 65536)] double reduction = 2, string prefixTargets = "**", string adapterTargets = "ffn") : CombinedMethod
{
    /// <summary>The prefix's number of positions.</summary>
    [Adapts(SiteKind.Input, Targets = "**")]
    public int Length { get; } = length;

    /// <summary>How many times narrower the adapter's bottleneck is than the model.</summary>
    public double Reduction { get; } = reduction;

    /// <summary>The modules whose attention has a prefix.</summary>
    [Adapts(SiteKind.Attention, Exclusive = PrefixTable.Kind, Needs = "k", NeedsUnless = nameof(KeyWidth))]
    public string PrefixTargets { get; } = prefixTargets;

    /// <summary>The modules whose residual sites have an adapter.</summary>
    [Adapts(SiteKind.Residual)]
    public string AdapterTargets { get; } = adapterTargets;

    /// <summary>The hidden width of the network that makes the prefix while it trains; 0: none. Default: 800.</summary>
    [InRange(0, 1 << 20)]
    public int Projection { get; set; } = 800;

    /// <summary>Where the text stands beside the prefix. Default: where it stands without it; AdapterHub's is <see cref="PrefixPositions.Kept"/>, which differs from this in T5 alone.</summary>
    public PrefixPositions Positions { get; set; } = PrefixPositions.Unmoved;

    /// <summary>The fixed scaling of the adapter's output. Default: 4.</summary>
    [InRange(-1e9, 1e9)]
    public double Scaling { get; set; } = 4;

    /// <summary>The width of the states, where the model does not show it; see <see cref="Bottleneck.Width"/>. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24)]
    public int Width { get; set; }

    /// <summary>The width of the keys, where the model does not show it; see <see cref="PrefixTuning.KeyWidth"/>. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24)]
    public int KeyWidth { get; set; }

    /// <inheritdoc/>
    protected override IEnumerable<AdaptAttribute> MakeParts() =>
    [
        new PrefixTuning(Length, PrefixTargets, Positions) { Projection = Projection, KeyWidth = KeyWidth, Group = Group },
        new ParallelAdapter(Reduction, AdapterTargets) { Width = Width, Scaling = Scaling, Group = Group },
    ];

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(MAM))
        .Argument("length", Length, 30).Argument("reduction", Reduction, 2.0).Argument("prefixTargets", PrefixTargets, "**").Argument("adapterTargets", AdapterTargets, "ffn")
        .Property(nameof(Projection), Projection, 800).Property(nameof(Positions), Positions, PrefixPositions.Unmoved).Property(nameof(Scaling), Scaling, 4.0)
        .Property(nameof(Width), Width, 0).Property(nameof(KeyWidth), KeyWidth, 0).Common(this).ToString();
}
