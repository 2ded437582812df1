using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>
/// Prefix tuning, flat: learned keys and values stand before those of every attention, <c>K = [P_K; K]</c>, <c>V = [P_V; V]</c>, visible to every query.
/// </summary>
/// <remarks>
/// Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", 2021, without the reparametrisation; AdapterHub's
/// <c>PrefixTuningConfig(flat=True)</c>. The prefix is not rotated and positions are not shifted. With <see cref="Gated"/> a gate for each example
/// and layer multiplies it (UniPELT).
/// </remarks>
/// <param name="length">The number of positions. Default: 30.</param>
/// <param name="targets">The modules whose attention is adapted, see <see cref="TargetList"/>. Default: all.</param>
[Merges(false)]
public sealed class PrefixTuning([InRange(1, 65536)] int length = 30, string targets = "**") : AdaptAttribute
{
    /// <summary>The number of positions.</summary>
    public int Length { get; } = length;

    /// <summary>The modules whose attention is adapted.</summary>
    [Adapts(SiteKind.Attention)]
    public string Targets { get; } = targets;

    /// <summary>Whether a learned gate for each example and layer multiplies the prefix.</summary>
    public bool Gated { get; set; }

    /// <summary>Over which tokens the gate takes its mean. Default: all, as the reference.</summary>
    public GatePooling Pooling { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_PREFIX_TUNING";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Attention, TargetList.Parse(Targets))];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => new PrefixSlot(site, this);

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || config["architecture"]?.ToJsonString() == "\"prefix_tuning\"";

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        if (!config.ContainsKey("architecture"))
            return new PrefixTuning(reader.Int("length", 30), reader.Targets("target_modules") ?? "**") { Gated = reader.Bool("gated", false), Pooling = reader.Choice("gate_pooling", GatePooling.All) };
        reader.Refuse("leave_out", "leaving out layers");
        if (!reader.Bool("flat", false))
            throw new AdapterException("'flat' is false: a prefix behind an MLP is not supported. Eject it in AdapterHub, which makes it flat, and save it again.");
        if (!reader.Bool("shared_gating", true) || reader.Double("dropout", 0) != 0)
            throw new AdapterException("'shared_gating' is false or 'dropout' is not 0: neither is supported.");
        return new PrefixTuning(reader.Int("prefix_length", 30)) { Gated = reader.Bool("use_gating", false) };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["length"] = Length;
        config["target_modules"] = ConfigWriter.Targets(TargetList.Parse(Targets), Targets.Split(','));
        config["gated"] = Gated;
        config["gate_pooling"] = ConfigWriter.Choice(Pooling);
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(PrefixTuning))
        .Argument("length", Length, 30).Argument("targets", Targets, "**").Property(nameof(Gated), Gated, false).Property(nameof(Pooling), Pooling, GatePooling.All).Property(nameof(Group), Group).ToString();
}
