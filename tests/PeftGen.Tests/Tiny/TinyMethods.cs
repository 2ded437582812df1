using System.Text.Json.Nodes;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Tiny;

/// <summary>Adds a full matrix to linear layers: <c>y + scale·D·dropout(x)</c>. A method of a user's own, for tests.</summary>
public sealed class Delta(string targets, double scale = 1, double dropout = 0) : AdaptAttribute
{
    public double Scale => scale;

    public override IReadOnlyList<Claim> Claims { get; } = [new Claim(SiteKind.Layer, TargetList.Parse(targets))];

    public override string PeftType => "DELTA";

    public override bool Reads(JsonObject config) => base.Reads(config) || (string?)config["architecture"] == "delta";

    public override Slot CreateSlot(Site site) => site.Host.Module is Linear linear
        ? new DeltaSlot(site, linear, scale, dropout)
        : throw new AdapterException($"{site.Path}: Delta needs a linear layer.");

    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> fileTargets)
    {
        config["delta_scale"] = scale;
        config["delta_dropout"] = dropout;
        config["target_modules"] = new JsonArray([.. fileTargets[Claims[0]].Select(t => (JsonNode)t)]);
    }

    public override AdaptAttribute ReadConfig(JsonObject config) => new Delta(
        string.Join(",", config["target_modules"]!.AsArray().Select(t => (string)t!)), (double)config["delta_scale"]!, (double?)config["delta_dropout"] ?? 0);

    public override string ToString() => FormattableString.Invariant($"[Delta(\"{targets}\", scale: {scale})]");
}

internal sealed class DeltaSlot : LayerSlot
{
    public double Scale => _scale;

    private readonly double _scale;
    private readonly double _dropout;
    private readonly DropoutSource _source;

    public DeltaSlot(Site site, Linear host, double scale, double dropout) : base(site.Path)
    {
        (_scale, _dropout, _source) = (scale, dropout, site.Dropout);
        Learn("delta", randn([host.out_features, host.in_features], generator: site.Generator, dtype: site.Dtype));
    }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        using var input = training && _dropout > 0 ? _source.Drop(x, _dropout) : x.alias();
        using var added = nn.functional.linear(input, this["delta"]);
        using var scaled = added * _scale;
        return y + scaled;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) =>
        [new(format == FileFormat.AdapterHub ? $"{Path}.deltas.{{name}}.delta" : $"base_model.model.{Path}.delta.weight", this["delta"])];

    public override bool CanMerge => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => [((Linear)host.Module).weight];

    public override void MergeInto(HostPart host)
    {
        using var added = this["delta"] * _scale;
        ((Linear)host.Module).weight.add_(added);
    }
}

/// <summary>Puts trained keys in front of attention, and records how many. The prefix is one part that all layers share.</summary>
public sealed class Prefix(int length, string targets = "attention") : AdaptAttribute
{
    public override IReadOnlyList<Claim> Claims { get; } = [new Claim(SiteKind.Attention, TargetList.Parse(targets))];

    public override string PeftType => "PREFIX";

    public override bool Reads(JsonObject config) => base.Reads(config) || (string?)config["architecture"] == "prefix";

    public override Slot CreateSlot(Site site) => new PrefixSlot(site, site.Share("prefix", () => new PrefixValues(length, site)));

    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> fileTargets) => config["length"] = length;

    public override AdaptAttribute ReadConfig(JsonObject config) => new Prefix((int)config["length"]!, targets);

    public override string ToString() => $"[Prefix({length})]";
}

internal sealed class PrefixValues : Slot
{
    public PrefixValues(int length, Site site) : base("")
    {
        Learn("values", randn([2, length, TinyModel.Dim], generator: site.Generator, dtype: site.Dtype));
    }

    public Tensor Expanded(ForwardContext context, long batch) =>
        context.Share(this, () => this["values"].unsqueeze(1).expand(2, batch, -1, -1).unsqueeze(2));

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new("prefix_values", this["values"])];
}

internal sealed class PrefixSlot(Site site, PrefixValues values) : AttentionSlot(site.Path)
{
    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        var prefix = values.Expanded(context, x.shape[0]);
        using var length = tensor(prefix.shape[3]);
        context.Record($"{Path}.length", length);
        var front = mask is null ? null : context.Keep(zeros([.. mask.shape[..^1], prefix.shape[3]], dtype: mask.dtype));
        return (context.Keep(cat([context.Keep(prefix[0]), k], 2)), context.Keep(cat([context.Keep(prefix[1]), v], 2)),
            mask is null ? null : context.Keep(cat([front!, mask], -1)));
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}

/// <summary>Scales what enters a residual: <c>N((1+g)·h + r)</c>.</summary>
public sealed class Shift(string targets) : AdaptAttribute
{
    public override IReadOnlyList<Claim> Claims { get; } = [new Claim(SiteKind.Residual, TargetList.Parse(targets))];

    public override string PeftType => "SHIFT";

    public override Slot CreateSlot(Site site) => new ShiftSlot(site);

    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> fileTargets) { }

    public override AdaptAttribute ReadConfig(JsonObject config) => this;

    public override string ToString() => $"[Shift(\"{targets}\")]";
}

internal sealed class ShiftSlot : ResidualSlot
{
    public ShiftSlot(Site site) : base(site.Path) => Learn("gain", randn([TinyModel.Dim], generator: site.Generator, dtype: site.Dtype));

    public override Tensor forward(ResidualCall call, Tensor h, Tensor r)
    {
        using var gain = this["gain"] + 1;
        using var scaled = h * gain;
        using var sum = scaled + r;
        return call.Norm(sum);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new($"base_model.model.{Path}.gain", this["gain"])];
}

/// <summary>Puts a value of its own where code reads a parameter.</summary>
public sealed class Own(string targets) : AdaptAttribute
{
    public override IReadOnlyList<Claim> Claims { get; } = [new Claim(SiteKind.Parameter, TargetList.Parse(targets))];

    public override string PeftType => "OWN";

    public override Slot CreateSlot(Site site) => site.Kind == SiteKind.Parameter && site.Host.Parameter is { } host
        ? new OwnSlot(site, host)
        : throw new AdapterException($"{site.Path}: Own needs a parameter that the code reads.");

    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> fileTargets) { }

    public override AdaptAttribute ReadConfig(JsonObject config) => this;

    public override string ToString() => $"[Own(\"{targets}\")]";
}

internal sealed class OwnSlot : ParameterSlot
{
    public OwnSlot(Site site, Parameter host) : base(site.Path) => Learn("value", randn(host.shape, generator: site.Generator, dtype: site.Dtype));

    public override Tensor forward(ForwardContext context, Parameter host) => this["value"];

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new($"base_model.model.{Path}", this["value"])];
}

/// <summary>Multiplies the output of norms.</summary>
public sealed class NormScale(string targets) : AdaptAttribute
{
    public override IReadOnlyList<Claim> Claims { get; } = [new Claim(SiteKind.Layer, TargetList.Parse(targets))];

    public override string PeftType => "NORM_SCALE";

    public override Slot CreateSlot(Site site) => new NormScaleSlot(site);

    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> fileTargets) { }

    public override AdaptAttribute ReadConfig(JsonObject config) => this;

    public override string ToString() => $"[NormScale(\"{targets}\")]";
}

internal sealed class NormScaleSlot : LayerSlot
{
    public NormScaleSlot(Site site) : base(site.Path) => Learn("factor", randn([TinyModel.Dim], generator: site.Generator, dtype: site.Dtype));

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        return y * this["factor"];
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new($"base_model.model.{Path}.factor", this["factor"])];
}
