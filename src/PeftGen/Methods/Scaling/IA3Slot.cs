using PeftGen.Methods;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>(IA)³ beside one layer; the formula is <see cref="IA3"/>'s. Of a convolution it scales channels.</summary>
internal sealed class IA3Slot : LayerSlot
{
    private const string Scale = "ia3_l";
    private readonly bool _atInput;
    private readonly int _kernelDims;
    private readonly FusedRows? _fused;
    private readonly Gate? _gate;

    /// <param name="site">The site.</param>
    /// <param name="atInput">Whether the layer's input is scaled, not its output.</param>
    /// <param name="gate">Over which tokens a gate takes its mean; null: there is none.</param>
    public IA3Slot(Site site, bool atInput, GatePooling? gate) : base(site.Path)
    {
        _atInput = atInput;
        if (ConvolutionForm.Is(site.Host.Module))
        {
            if (gate is not null)
                throw new AdapterException($"{site.Path}: Gated needs a linear layer, and this is a {site.Host.Module.GetType().Name}. Leave it out of the targets.");
            var convolution = (Convolution)site.Host.Module;
            _kernelDims = convolution.kernel_size.Length;
            Learn(Scale, site.Ones([1, atInput ? convolution.in_channels : convolution.out_channels, .. KernelOnes]));
            return;
        }

        if (site.Host.Module is Embedding or LayerNorm)
        {
            if (gate is not null || atInput)
                throw new AdapterException($"{site.Path}: {(atInput ? "'feedforward'" : "Gated")} needs a linear layer{(atInput ? " or a convolution" : "")}, and this is a {site.Host.Module.GetType().Name}. Leave it out of {(atInput ? "feedforward" : "the targets")}.");
            Learn(Scale, site.Ones(ParametersOf(site.Host.Module).weight.shape[^1], 1));
            return;
        }

        var layer = HostLinear.Of(site.Host.Module, site.Path, "(IA)³");
        _fused = site.Parts is { } parts ? new FusedRows(parts, layer.Outputs) : null;
        if (atInput && _fused is not null)
            throw new AdapterException($"{site.Path}: 'feedforward' scales a layer's input, which all its parts share. Name the whole layer, or leave it out of feedforward.");
        long[] shape = atInput ? [1, layer.Inputs] : [_fused?.Length ?? layer.Outputs, 1];
        Learn(Scale, site.Ones(shape));
        if (gate is not { } pooling)
            return;
        _gate = new Gate(site, layer.Inputs, GateSites.OfLinear(site), pooling, _fused?.Count ?? 1);
        register_module("gate", _gate);
    }

    public override bool ActsOnOutput => !_atInput;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var vector = _gate is null ? Vector() : Gated(layer.Context, x);
        using var l = _gate is null ? vector.view([-1, .. KernelOnes]) : vector.view([vector.shape[0], .. Enumerable.Repeat(1L, (int)x.dim() - 2), vector.shape[1]]);
        if (!_atInput)
        {
            using var y = layer.forward(x);
            return Scaled(y, l);
        }

        using var scaled = Scaled(x, l);
        return layer.forward(scaled);
    }

    private long[] KernelOnes => [.. Enumerable.Repeat(1L, _kernelDims)];

    /// <summary>l for each output or input, <c>[out]</c> or <c>[in]</c>, with ones at parts that are not adapted.</summary>
    private Tensor Vector()
    {
        if (_fused is null)
            return this[Scale].flatten();
        using var column = _fused.Columns(this[Scale], 1);
        return column.flatten();
    }

    /// <summary>g·l for each example, <c>[batch, out]</c> or <c>[batch, in]</c>.</summary>
    private Tensor Gated(ForwardContext context, Tensor x)
    {
        using var g = _gate!.forward(context, x);
        using var each = g.view(g.shape[0], -1);
        using var row = this[Scale].view(1, -1);
        if (_fused is null)
            return each * row;
        using var gates = _fused.Examples(each);
        using var own = _fused.Columns(this[Scale], 0);
        using var column = zeros_like(this[Scale]);
        using var others = _fused.Columns(column, 1);
        using var transposed = own.t();
        using var rest = others.t();
        using var product = gates * transposed;
        return product + rest;
    }

    /// <summary>x ⊙ l in the dtype of x.</summary>
    private static Tensor Scaled(Tensor x, Tensor l)
    {
        var product = x * l;
        if (product.dtype == x.dtype)
            return product;
        using (product)
            return product.to(x.dtype);
    }

    /// <summary>diag(l)W and l ⊙ b, or W·diag(l) and b.</summary>
    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value)
    {
        if (_gate is not null)
            return base.read(context, host, name, value);
        if (value is null || (name == "bias" && _atInput))
            return value;
        using var l = name == "bias" ? Vector() : OnWeight(host);
        return context.Keep(Scaled(value, l));
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => format == FileFormat.AdapterHub
        ? [new($"{Path}.loras.{{name}}.lora_B", this[Scale]), .. _gate?.StoredAs($"{Path}.loras.{{name}}.gate") ?? []]
        : [new($"{HuggingFaceKeys.Prefix}{Path}.{Scale}", this[Scale]), .. _gate?.StoredAs($"{HuggingFaceKeys.Prefix}{Path}.ia3_gate") ?? []];

    public override bool CanMerge => _gate is null;

    public override IEnumerable<Parameter> MergeTargets(HostPart host)
    {
        var (weight, bias) = ParametersOf(host.Module);
        return _atInput || bias is null ? [weight] : [weight, bias];
    }

    public override void MergeInto(HostPart host)
    {
        var (weight, bias) = ParametersOf(host.Module);
        using var factor = OnWeight(host.Module);
        Merging.Multiply(weight, factor);
        if (_atInput || bias is null)
            return;
        using var l = Vector();
        Merging.Multiply(bias, l);
    }

    private (Parameter weight, Parameter? bias) ParametersOf(nn.Module host)
    {
        switch (host)
        {
            case Convolution convolution:
                return (convolution.weight!, convolution.bias);
            case Embedding or LayerNorm:
                return (host.get_parameter("weight") ?? throw new AdapterException($"{Path}: this {host.GetType().Name} has no weight to scale. Leave it out of the targets."), host.get_parameter("bias"));
        }

        var layer = HostLinear.Of(host, Path, "(IA)³");
        return (layer.Weight, layer.Bias);
    }

    /// <summary>l as a factor of the weight as the layer keeps it.</summary>
    private Tensor OnWeight(nn.Module host)
    {
        using var l = Vector();
        if (host is Convolution convolution)
        {
            if (!_atInput)
                return l.view([-1, 1, .. KernelOnes]);
            // Each group of outputs sees inputs of its own.
            var (groups, inputs) = (convolution.groups, convolution.in_channels / convolution.groups);
            using var own = l.view(groups, 1, inputs);
            using var each = own.expand(groups, convolution.out_channels / groups, inputs);
            return each.reshape([convolution.out_channels, inputs, .. KernelOnes]);
        }

        if (host is LayerNorm)
            return l.alias();
        if (host is Embedding)
            return l.unsqueeze(0);
        using var factor = _atInput ? l.unsqueeze(0) : l.unsqueeze(1);
        return HostLinear.Of(host, Path, "(IA)³").Oriented(factor);
    }
}
