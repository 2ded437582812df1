using System.Text.Json.Nodes;
using PeftGen;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Methods;

/// <summary>A method of a user's own: a layer's output times a number that is learnt.</summary>
public sealed class Scale(double by = 1, string targets = "q,v") : AdaptAttribute
{
    [InRange(-10, 10)]
    public double By { get; } = by;

    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)])]
    public string Targets { get; } = targets;

    [PreventsMerge]
    public bool Fixed { get; set; }

    public override IReadOnlyList<Claim> Claims => [new(SiteKind.Layer, TargetList.Parse(Targets))];

    public override Slot CreateSlot(Site site) => new ScaleSlot(site.Path, By);

    public override string PeftType => "SCALE";

    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) => config["by"] = By;

    public override AdaptAttribute ReadConfig(JsonObject config) => new Scale((double)config["by"]!, Targets);

    public override string ToString() => $"[Scale({By}, targets: \"{Targets}\")]";
}

public sealed class ScaleSlot : LayerSlot
{
    public ScaleSlot(string path, double by) : base(path) => Learn("scale", full([1], (float)by));

    public override bool CanMerge => true;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        return y * this["scale"];
    }

    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value) => value is null ? null : context.Keep(value * this["scale"]);

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(Path + ".scale", this["scale"])];

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => host.Module.parameters();

    public override void MergeInto(HostPart host)
    {
        foreach (var parameter in host.Module.parameters())
            parameter.mul_(this["scale"]);
    }
}

/// <summary>A method of each kind of site that stands in a body: each learns a number that multiplies what passes.</summary>
[Composes(false), Merges(false)]
public sealed class Touch : AdaptAttribute
{
    [Adapts(SiteKind.Parameter)]
    public string? Parameters { get; set; }

    [Adapts(SiteKind.Residual)]
    public string? Residuals { get; set; }

    [Adapts(SiteKind.Attention)]
    public string? Attentions { get; set; }

    [Adapts(SiteKind.Output)]
    public string? Outputs { get; set; }

    [Adapts(SiteKind.Input, Targets = "**")]
    public bool Inputs { get; set; }

    public override IReadOnlyList<Claim> Claims =>
        [.. Of(SiteKind.Parameter, Parameters), .. Of(SiteKind.Residual, Residuals), .. Of(SiteKind.Attention, Attentions), .. Of(SiteKind.Output, Outputs), .. Of(SiteKind.Input, Inputs ? "**" : null)];

    public override Slot CreateSlot(Site site) => site.Kind switch
    {
        SiteKind.Parameter => new TouchedParameter(site.Path),
        SiteKind.Residual => new TouchedResidual(site.Path),
        SiteKind.Output => new TouchedOutput(site.Path),
        SiteKind.Input => new TouchedInput(site.Path),
        _ => new TouchedAttention(site.Path),
    };

    public override string PeftType => "TOUCH";

    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) { }

    public override AdaptAttribute ReadConfig(JsonObject config) => this;

    public override string ToString() => "[Touch]";

    private static IEnumerable<Claim> Of(SiteKind kind, string? targets) => targets is null ? [] : [new Claim(kind, TargetList.Parse(targets))];
}

public sealed class TouchedParameter : ParameterSlot
{
    public TouchedParameter(string path) : base(path) => Learn("touch", ones(1));

    public override Tensor forward(ForwardContext context, Parameter host) => context.Keep(host * this["touch"]);

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(Path, this["touch"])];
}

public sealed class TouchedResidual : ResidualSlot
{
    public TouchedResidual(string path) : base(path) => Learn("touch", ones(1));

    public override Tensor forward(ResidualCall call, Tensor h, Tensor r)
    {
        using var sum = (h * this["touch"]) + r;
        return call.Norm(sum);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(Path + ".residual", this["touch"])];
}

public sealed class TouchedAttention : AttentionSlot
{
    public TouchedAttention(string path) : base(path) => Learn("touch", ones(1));

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask) =>
        (k, context.Keep(v * this["touch"]), mask);

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(Path + ".attention", this["touch"])];
}

public sealed class TouchedOutput : OutputSlot
{
    public TouchedOutput(string path) : base(path) => Learn("touch", ones(1));

    public override Tensor forward(ForwardContext context, Tensor output) => output * this["touch"];

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(Path + ".output", this["touch"])];
}

/// <summary>Multiplies the ids on their way in, moves the positions by as much as the cache is long, and halves and doubles what comes out.</summary>
public sealed class TouchedInput : InputSlot
{
    public TouchedInput(string path) : base(path) => Learn("touch", ones(1));

    public override void enter(ForwardContext context)
    {
        context[InputRole.InputIds] = context.Keep(context[InputRole.InputIds]! * this["touch"]);
        context.PositionShift = context.PastTokens;
    }

    public override Tensor leave(ForwardContext context, Tensor output) => output * 1;

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new("inputs", this["touch"])];
}
