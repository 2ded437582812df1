using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

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
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(Bottleneck))
        .Argument("reduction", Reduction, 16.0).Argument("targets", Targets, "ffn").Property(nameof(NonLinearity), NonLinearity, "relu")
        .Property(nameof(Scaling), Scaling, 1.0).Property(nameof(Gated), Gated, false).Property(nameof(Group), Group).ToString();
}

/// <summary>The bottleneck at one residual site; the formula is <see cref="Bottleneck"/>'s.</summary>
internal sealed class BottleneckSlot : ResidualSlot
{
    private readonly Func<Tensor, Tensor> _nonLinearity;
    private readonly double _scaling;
    private readonly Gate? _gate;

    public BottleneckSlot(Site site, Bottleneck values) : base(site.Path)
    {
        var dim = site.Host.Module is LayerNorm norm ? norm.normalized_shape[^1]
            : site.Owner.named_modules().Select(m => m.module).OfType<Linear>().LastOrDefault()?.weight.shape[0]
            ?? throw new AdapterException($"{site.Path}: the width of the residual is not to be seen from its module, which has neither a LayerNorm nor a Linear.");
        var width = (long)(dim / values.Reduction);
        if (width < 1)
            throw new AdapterException($"{site.Path}: {dim} / {values.Reduction} leaves no bottleneck. Choose a smaller reduction.");
        _scaling = values.Scaling;
        _nonLinearity = values.NonLinearity switch
        {
            "relu" => static x => relu(x),
            "gelu" => static x => gelu(x),
            "swish" or "silu" => static x => silu(x),
            var other => throw new AdapterException($"{site.Path}: the non-linearity is '{other}', expected relu, gelu or swish."),
        };
        Learn("down_weight", Start.Normal(site, 0.02, width, dim));
        Learn("down_bias", zeros(width, dtype: site.Dtype, device: site.Device));
        Learn("up_weight", Start.Normal(site, 0.02, dim, width));
        Learn("up_bias", zeros(dim, dtype: site.Dtype, device: site.Device));
        if (values.Gated)
            register_module("gate", _gate = new Gate(site, dim, GateSites.OfResidual(site)));
    }

    public override Tensor forward(ResidualCall call, Tensor h, Tensor r)
    {
        using var sum = h + r;
        using var normed = call.Norm(sum);
        using var x = normed.to(this["down_weight"].dtype);
        using var down = linear(x, this["down_weight"], this["down_bias"]);
        using var active = _nonLinearity(down);
        using var up = linear(active, this["up_weight"], this["up_bias"]);
        using var update = Weighted(call.Context, x, up);
        using var adapted = update.add(sum);
        using var typed = adapted.to(h.dtype);
        return call.Norm(typed);
    }

    /// <summary>The update times its scaling and gate.</summary>
    private Tensor Weighted(ForwardContext context, Tensor x, Tensor up)
    {
        if (_gate is null)
            return up * _scaling;
        using var g = _gate.forward(context, x);
        using var wide = g.view(-1, 1, 1);
        using var scaled = wide * _scaling;
        return up * scaled;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        var root = format == FileFormat.AdapterHub ? $"{Path}.adapters.{{name}}." : $"{HuggingFaceKeys.Prefix}{Path}.";
        return [
            new(root + "adapter_down.0.weight", this["down_weight"]), new(root + "adapter_down.0.bias", this["down_bias"]),
            new(root + "adapter_up.weight", this["up_weight"]), new(root + "adapter_up.bias", this["up_bias"]),
            .. _gate?.StoredAs(root + "gate") ?? []];
    }
}
