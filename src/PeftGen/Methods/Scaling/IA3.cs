using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// (IA)³: learned vectors rescale activations, <c>y = l ⊙ (Wx + b)</c> for keys and values, <c>y = W(l ⊙ x) + b</c> for the second layer of the feed-forward network.
/// </summary>
/// <remarks>
/// Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", 2022. <c>l</c> starts at one, so a new
/// adapter changes nothing. Merged: <c>W ← diag(l)W, b ← l ⊙ b</c>, or <c>W ← W·diag(l)</c>. With <see cref="Gated"/> a learned gate for each example
/// multiplies <c>l</c> (Mao et al., "UniPELT", 2022); then a new adapter is not the identity.
/// </remarks>
/// <param name="targets">The layers to adapt, linear, convolution, embedding or norm, see <see cref="TargetList"/>. Default: the paper's.</param>
/// <param name="feedforward">Those of them that are scaled at their input. Default: the second layer of the feed-forward network.</param>
public sealed class IA3(string targets = "k,v,ffn_out", string feedforward = "ffn_out") : AdaptAttribute
{
    internal const string PlainType = "IA3", PartsType = "PEFTGEN_PARTS_IA3", GatedType = "PEFTGEN_GATED_IA3", WithinTargets = "feedforward", Excluded = "excluded";

    /// <summary>The layers to adapt: linear, convolution, embedding or norm.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear), typeof(Embedding), typeof(LayerNorm), typeof(Conv1d), typeof(Conv2d), typeof(Conv3d)], TakesParts = true)]
    public string Targets { get; } = targets;

    /// <summary>Those of <see cref="Targets"/> that are scaled at their input; empty: none.</summary>
    [Within(nameof(Targets), Whole = true)]
    [NeedsHosts(nameof(Targets), typeof(Linear), typeof(Conv1d), typeof(Conv2d), typeof(Conv3d))]
    public string Feedforward { get; } = feedforward;

    /// <summary>Layers that <see cref="Targets"/> match but that are left out.</summary>
    [LeavesOut(nameof(Targets))]
    public string? Exclude { get; set; }

    /// <summary>Numbers of the blocks to leave out, counted from 0 through all stacks of blocks, an encoder's and then its decoder's; null: none.</summary>
    [InRange(0, 65536), LeavesOut(nameof(Targets))]
    public int[]? LeaveOut { get; set; }

    /// <summary>Whether a learned gate for each example multiplies the vectors, <c>y = (g·l) ⊙ (Wx + b)</c>. Such an adapter cannot be merged.</summary>
    [PreventsMerge]
    [NeedsHosts(nameof(Targets), typeof(Linear))]
    public bool Gated { get; set; }

    /// <summary>Over which tokens the gate takes its mean. Default: all, as the reference.</summary>
    [OnlyWith(nameof(Gated))]
    public GatePooling Pooling { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => !Gated;

    /// <inheritdoc/>
    public override string PeftType => Gated ? GatedType : PlainType;

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => IA3Config.Reads(config);

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims =>
        field ??= [new Claim(SiteKind.Layer, TargetList.Parse(Targets), Exclude is null ? null : TargetList.Parse(Exclude)) { TakesParts = true, LeaveOut = LeaveOut }];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) =>
        new IA3Slot(site, Feedforward.Length > 0 && site.IsAmong(TargetList.Parse(Feedforward)), Gated ? Pooling : null);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config) => IA3Config.Read(config);

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) =>
        IA3Config.Write(this, config, targets.ToDictionary(t => t.Key.Purpose, t => t.Value));

    /// <inheritdoc/>
    public override void WriteHubConfig(JsonObject config, HubSites sites)
    {
        HubForm.Refuse(
            this, HubForm.OtherPooling(Gated, Pooling),
            (Feedforward.Length > 0 && sites.Any(FeedforwardClaim), $"{nameof(Feedforward)} = \"{Feedforward}\" (AdapterHub scales outputs alone)"));
        HubLinears.Write(config, sites.Of(Claims[0], HubLinears.Kinds), scales: true);
        (config["r"], config["alpha"], config["dropout"], config["use_gating"]) = (1, 1, 0.0, Gated);
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(IA3))
        .Argument("targets", Targets, "k,v,ffn_out").Argument("feedforward", Feedforward, "ffn_out")
        .Property(nameof(Exclude), Exclude).Property(nameof(LeaveOut), LeaveOut)
        .Property(nameof(Gated), Gated, false).Property(nameof(Pooling), Pooling, GatePooling.All).Common(this).ToString();

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => Claims.Concat(Feedforward.Length == 0 ? [] : [FeedforwardClaim])
        .Concat(Exclude is null ? [] : [new Claim(SiteKind.Layer, TargetList.Parse(Exclude), Purpose: Excluded)]);

    // Not among the claims, since its sites are; only its names are wanted, for the file.
    private Claim FeedforwardClaim =>
        new(SiteKind.Layer, TargetList.Parse(Feedforward), Exclude is null ? null : TargetList.Parse(Exclude), Purpose: WithinTargets) { Within = TargetList.Parse(Targets), LeaveOut = LeaveOut };
}
