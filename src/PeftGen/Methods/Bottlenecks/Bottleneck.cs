using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>
/// The serial bottleneck adapter after the feed-forward network: <c>y = N(s·U f(D x) + h + r)</c> with <c>x = N(h + r)</c>.
/// </summary>
/// <remarks>
/// Pfeiffer et al., "AdapterFusion: Non-Destructive Task Composition for Transfer Learning", 2021; AdapterHub's <c>SeqBnConfig</c>. h is the sub-layer's
/// output, r its residual, N the norm after the sum, D and U projections with bias of <c>dim / reduction</c>. They start at N(0, 0.02).
/// </remarks>
/// <param name="reduction">How many times narrower the bottleneck is than the model. Default: 16.</param>
/// <param name="targets">The modules whose residual sites are adapted, see <see cref="TargetList"/>. Default: the feed-forward networks'.</param>
[Merges(false)]
public sealed class Bottleneck([InRange(1, 4096)] double reduction = 16, string targets = "ffn") : AdaptAttribute
{
    /// <summary>How many times narrower the bottleneck is than the model.</summary>
    public double Reduction { get; } = reduction;

    /// <summary>The modules whose residual sites are adapted.</summary>
    [Adapts(SiteKind.Residual)]
    public string Targets { get; } = targets;

    /// <summary>The non-linearity: relu, gelu or swish. Default: relu.</summary>
    public string NonLinearity { get; set; } = "relu";

    /// <summary>The scaling of the adapter's output. Default: 1.</summary>
    public double Scaling { get; set; } = 1;

    /// <summary>Whether a learned gate for each example multiplies the adapter's output.</summary>
    public bool Gated { get; set; }

    /// <summary>Over which tokens the gate takes its mean. Default: all, as the reference.</summary>
    public GatePooling Pooling { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_BOTTLENECK";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Residual, TargetList.Parse(Targets))];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => new BottleneckSlot(site, this);

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || (config.ContainsKey("reduction_factor") && config.ContainsKey("mh_adapter"));

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        if (!config.ContainsKey("mh_adapter"))
            return new Bottleneck(reader.Double("reduction", 16), reader.Targets("target_modules") ?? "ffn")
            {
                NonLinearity = reader.Text("non_linearity") ?? "relu",
                Scaling = reader.Double("scaling", 1),
                Gated = reader.Bool("gated", false),
                Pooling = reader.Choice("gate_pooling", GatePooling.All),
            };
        foreach (var other in (string[])["mh_adapter", "cross_adapter", "is_parallel", "ln_before", "ln_after", "phm_layer", "inv_adapter", "leave_out", "adapter_residual_before_ln"])
            reader.Refuse(other, "this form of the bottleneck");
        foreach (var needed in (string[])["output_adapter", "original_ln_before", "original_ln_after", "residual_before_ln"])
            if (!reader.Bool(needed, true))
                throw new AdapterException($"'{needed}' is false: only the form with it is supported.");
        if (reader.Double("dropout", 0) != 0 || reader.Double("stochastic_depth", 0) != 0)
            throw new AdapterException("'dropout' or 'stochastic_depth' is not 0: neither is supported.");
        return new Bottleneck(reader.Double("reduction_factor", 16))
        {
            NonLinearity = reader.Text("non_linearity") ?? "relu",
            Scaling = reader.Double("scaling", 1),
            Gated = reader.Bool("use_gating", false),
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["reduction"] = Reduction;
        config["target_modules"] = ConfigWriter.Targets(TargetList.Parse(Targets), Targets.Split(','));
        config["non_linearity"] = NonLinearity;
        config["scaling"] = Scaling;
        config["gated"] = Gated;
        config["gate_pooling"] = ConfigWriter.Choice(Pooling);
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(Bottleneck))
        .Argument("reduction", Reduction, 16.0).Argument("targets", Targets, "ffn").Property(nameof(NonLinearity), NonLinearity, "relu")
        .Property(nameof(Scaling), Scaling, 1.0).Property(nameof(Gated), Gated, false).Property(nameof(Pooling), Pooling, GatePooling.All).Property(nameof(Group), Group).ToString();
}
