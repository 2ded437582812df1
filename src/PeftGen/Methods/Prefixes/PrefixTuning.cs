using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// Prefix tuning: learned keys and values stand before those of every attention, <c>K = [P_K; K]</c>, <c>V = [P_V; V]</c>, visible to every query.
/// </summary>
/// <remarks>
/// Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", 2021. The prefix itself is not rotated. With <see cref="Projection"/> it is
/// <c>W₂ tanh(W₁ e + b₁) + b₂</c> of a learned embedding e while it trains; <see cref="AdapterEjection.Eject"/> leaves the result alone. With <see cref="Gated"/> a gate for
/// each example and layer multiplies it (Mao et al., "UniPELT", 2022). In an encoder-decoder the encoder, the decoder and the attention between them have a prefix each.
/// The defaults are HF PEFT's, and files with them open there; AdapterHub's differ in <paramref name="positions"/> and are read as such.
/// </remarks>
/// <param name="length">The number of positions. Default: 30.</param>
/// <param name="targets">The modules whose attention is adapted, see <see cref="TargetList"/>. Default: all.</param>
/// <param name="positions">Where the text stands. Default: behind the prefix.</param>
[Merges(false)]
public sealed class PrefixTuning([InRange(1, 65536)] int length = 30, string targets = "**", PrefixPositions positions = PrefixPositions.Shifted) : AdaptAttribute
{
    private const string Door = "door";

    /// <summary>The number of positions.</summary>
    [Adapts(SiteKind.Input, Targets = "**")]
    public int Length { get; } = length;

    /// <summary>The modules whose attention is adapted.</summary>
    [Adapts(SiteKind.Attention, Exclusive = PrefixTable.Kind, Needs = "k", NeedsUnless = nameof(KeyWidth))]
    public string Targets { get; } = targets;

    /// <summary>Where the text stands.</summary>
    public PrefixPositions Positions { get; } = positions;

    /// <summary>The hidden width of the network that makes the prefix while it trains; 0: none, the prefix itself is learned. Default: 0.</summary>
    [InRange(0, 1 << 20)]
    public int Projection { get; set; }

    /// <summary>The width of the embedding that enters the <see cref="Projection"/>; 0: that of the attention's input. Default: 0.</summary>
    [InRange(0, 1 << 20), OnlyWith(nameof(Projection))]
    public int ProjectionInput { get; set; }

    /// <summary>The width of the keys, all heads together, where the model does not show it by a linear layer that makes them. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24)]
    public int KeyWidth { get; set; }

    /// <summary>Whether a learned gate for each example and layer multiplies the prefix.</summary>
    public bool Gated { get; set; }

    /// <summary>Whether keys and values have one gate together. Default: yes.</summary>
    public bool SharedGate { get; set; } = true;

    /// <summary>Over which tokens the gate takes its mean. Default: all, as the reference.</summary>
    [OnlyWith(nameof(Gated))]
    public GatePooling Pooling { get; set; }

    /// <summary>The probability with which numbers of the prefix are dropped in training. Default: 0.</summary>
    [InRange(0, 0.999999)]
    public double Dropout { get; set; }

    /// <summary>Indices of blocks without a prefix; in an encoder-decoder the decoder's count on from the encoder's. Null: none.</summary>
    [InRange(0, 65536), LeavesOut(nameof(Targets))]
    public int[]? LeaveOut { get; set; }

    /// <summary>Which part of the table is a layer's. Default: its own.</summary>
    public PrefixSlices Slices { get; set; }

    /// <summary>What HF PEFT's <c>task_type</c> is to be in files, for example <c>CAUSAL_LM</c>; it opens a prefix's file only with one. Default: none.</summary>
    public string? TaskType { get; set; }

    /// <summary>Whether HF PEFT has a form for these values, on hosts where it means by them what they are.</summary>
    internal bool IsHuggingFace =>
        Positions == PrefixPositions.Shifted && !Gated && Dropout == 0 && LeaveOut is not { Length: > 0 } && Targets == (Slices == PrefixSlices.Own ? "**" : PrefixConfig.DecoderSelfAttention);

    internal override PartNames ModuleNames => PartNames.BesidePrompt;

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => IsHuggingFace ? PrefixConfig.HuggingFaceType : PrefixConfig.OwnType;

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims =>
        field ??= [new Claim(SiteKind.Input, TargetList.Parse("**"), Purpose: Door), new Claim(SiteKind.Attention, TargetList.Parse(Targets)) { LeaveOut = LeaveOut, Exclusive = PrefixTable.Kind }];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => site.Claim.Purpose == Door ? new PrefixInput(site, this) : new PrefixSlot(site, this);

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => PrefixConfig.Reads(config);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config) => PrefixConfig.Read(config);

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) => PrefixConfig.Write(config, this);

    /// <inheritdoc/>
    public override void WriteHubConfig(JsonObject config, HubSites sites) => PrefixConfig.WriteHub(this, config, sites.Of(Claims[1], PrefixConfig.HubKinds));

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(PrefixTuning))
        .Argument("length", Length, 30).Argument("targets", Targets, "**").Argument("positions", Positions, PrefixPositions.Shifted)
        .Property(nameof(Projection), Projection, 0).Property(nameof(ProjectionInput), ProjectionInput, 0)
        .Property(nameof(KeyWidth), KeyWidth, 0).Property(nameof(Gated), Gated, false).Property(nameof(SharedGate), SharedGate, true).Property(nameof(Pooling), Pooling, GatePooling.All)
        .Property(nameof(Dropout), Dropout, 0.0).Property(nameof(LeaveOut), LeaveOut).Property(nameof(Slices), Slices, PrefixSlices.Own)
        .Property(nameof(TaskType), TaskType).Common(this).ToString();
}

/// <summary>Where the text stands beside a prefix.</summary>
public enum PrefixPositions
{
    /// <summary>Behind it: its positions begin with the prefix's length, as in the paper's code and HF PEFT.</summary>
    Shifted,

    /// <summary>Where it stands without it, as in AdapterHub. Where positions are distances (T5), keys move with the prefix and queries do not.</summary>
    Kept,

    /// <summary>Where it stands without it, however the model counts: places in a text as with <see cref="Kept"/>, distances between tokens (T5) as with <see cref="Shifted"/>.</summary>
    Unmoved,
}

/// <summary>Which part of a prefix's table is a layer's.</summary>
public enum PrefixSlices
{
    /// <summary>Its own.</summary>
    Own,

    /// <summary>
    /// What HF PEFT reads for a decoder that reads an encoder: layer l has the keys at 4l and the values at 4l + 1, modulo the number of parts. Half of the table
    /// never trains. For files that were trained so.
    /// </summary>
    AsHuggingFaceT5,
}
