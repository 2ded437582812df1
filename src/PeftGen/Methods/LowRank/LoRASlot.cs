using System.Globalization;
using PeftGen.Methods;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>LoRA beside one layer; the formula is <see cref="LoRA"/>'s, what it means for the kind of layer <see cref="LowRankForm"/>'s.</summary>
internal sealed class LoRASlot : LayerSlot
{
    private readonly double _scaling;
    private readonly double _dropout;
    private readonly bool _biasInB;
    private readonly DropoutSource _masks;
    private readonly LowRankForm _form;
    private readonly Gate? _gate;

    public LoRASlot(Site site, int rank, double scaling, LoRA values) : base(site.Path)
    {
        _form = LowRankForm.Of(site);
        _scaling = scaling;
        _dropout = values.Dropout is >= 0 and < 1 ? values.Dropout : throw new AdapterException(
            $"{site.Path}: Dropout is {values.Dropout.ToString(CultureInfo.InvariantCulture)}, expected a probability of at least 0 and less than 1.");
        _biasInB = values.BiasInB;
        _masks = site.Dropout;
        var (a, b) = _form.Start(site, rank, values.Init);
        Learn("lora_A", a);
        Learn("lora_B", b);
        if (_biasInB)
            Learn("lora_B_bias", _form.TakesNumbers ? site.Zeros(_form.Outputs) : throw new AdapterException(
                $"{site.Path}: BiasInB is for layers that have inputs to add to, and this is a {site.Host.Module.GetType().Name}. Leave it out of the targets, or leave BiasInB."));
        if (values.Gated)
        {
            if (_form is not LinearForm)
                throw new AdapterException($"{site.Path}: Gated needs a linear layer, and this is a {site.Host.Module.GetType().Name}. Leave it out of the targets.");
            _gate = new Gate(site, HostLinear.Of(site.Host.Module, site.Path, "LoRA").Inputs, GateSites.OfLinear(site), values.Pooling, _form.Count);
            register_module("gate", _gate);
        }
    }

    public override bool ActsOnOutput => true;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        var y = layer.forward(x);
        var (a, b) = (this["lora_A"], this["lora_B"]);
        using var typed = x.dtype == a.dtype || !_form.TakesNumbers ? null : x.to(a.dtype);
        var input = typed ?? x;
        using var dropped = IsTraining(layer.Context) && _dropout > 0 && _form.TakesNumbers ? _masks.Drop(input, _dropout) : null;
        using var h = _form.Down(dropped ?? input, a);
        if (_gate is null && !_biasInB && y.dtype == a.dtype)
            return _form.AddTo(y, h, b, _scaling);

        using var bias = _biasInB ? _form.Bias(this["lora_B_bias"]) : null;
        using var product = _form.Up(h, b, bias);
        using var scaled = _gate is null ? product * _scaling : Gated((LinearForm)_form, layer.Context, input, product);
        using (y)
        {
            using var wide = y.dtype == a.dtype ? null : y.to(a.dtype);
            var sum = (wide ?? y) + scaled;
            if (sum.dtype == y.dtype)
                return sum;
            using (sum)
                return sum.to(y.dtype);
        }
    }

    private Tensor Gated(LinearForm form, ForwardContext context, Tensor x, Tensor product)
    {
        using var g = _gate!.forward(context, x);
        using var outputs = form.OfOutputs(g);
        using var wide = outputs.view([g.shape[0], .. Enumerable.Repeat(1L, (int)product.dim() - 2), outputs.shape[1]]);
        return product * wide;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        if (format == FileFormat.AdapterHub)
            return [
                new($"{Path}.loras.{{name}}.lora_A", this["lora_A"]), new($"{Path}.loras.{{name}}.lora_B", this["lora_B"]),
                .. _gate?.StoredAs($"{Path}.loras.{{name}}.gate") ?? []];
        var root = $"{HuggingFaceKeys.Prefix}{Path}";
        var (a, b) = _form.FileNames;
        return [
            new($"{root}.{a}", this["lora_A"]), new($"{root}.{b}", this["lora_B"]),
            .. _biasInB ? [new StoredTensor($"{root}.lora_B.bias", this["lora_B_bias"])] : Array.Empty<StoredTensor>(),
            .. _gate?.StoredAs($"{root}.lora_gate") ?? []];
    }

    /// <summary>W + s·BA, without dropout, which acts on inputs.</summary>
    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value)
    {
        if (_gate is not null)
            return base.read(context, host, name, value);
        if (name == "bias" && !_biasInB)
            return value;
        using var delta = name == "bias" ? _form.Bias(this["lora_B_bias"]) : Delta(host);
        using var scaled = delta * _scaling;
        if (value is null)
            return context.Keep(scaled.alias());
        // In the wider type, rounded once, as merging does.
        using var wide = value.to(scaled.dtype);
        var sum = wide + scaled;
        if (sum.dtype == value.dtype)
            return context.Keep(sum);
        using (sum)
            return context.Keep(sum.to(value.dtype));
    }

    /// <summary>BA as the layer keeps its weight.</summary>
    private Tensor Delta(nn.Module host)
    {
        if (_form is not LinearForm linear)
            return _form.Delta(this["lora_A"], this["lora_B"]);
        using var delta = linear.Delta(this["lora_A"], this["lora_B"]);
        return linear.Oriented(host, delta);
    }

    public override bool CanMerge => _gate is null;

    public override IEnumerable<Parameter> MergeTargets(HostPart host)
    {
        _form.RequireDelta();
        var (weight, bias) = _form.ParametersOf(host.Module);
        if (_biasInB && bias is null)
            throw new AdapterException($"{Path}: B has a bias, and the layer has none to take it. Run the model with its adapter instead.");
        return _biasInB ? [weight, bias!] : [weight];
    }

    public override void MergeInto(HostPart host)
    {
        var (weight, bias) = _form.ParametersOf(host.Module);
        using var delta = Delta(host.Module);
        using var scaled = delta * _scaling;
        Merging.Add(weight, scaled);
        if (!_biasInB)
            return;
        using var full = _form.Bias(this["lora_B_bias"]);
        using var scaledBias = full * _scaling;
        Merging.Add(bias!, scaledBias);
    }
}
