using System.Globalization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>The bottleneck at one residual site; the formula is <see cref="Bottleneck"/>'s.</summary>
internal sealed class BottleneckSlot : ResidualSlot
{
    private readonly Func<Tensor, Tensor> _nonLinearity;
    private readonly double _scaling;
    private readonly Gate? _gate;

    public BottleneckSlot(Site site, Bottleneck values) : base(site.Path)
    {
        var dim = WidthOf(site);
        if (!(values.Reduction >= 1))
            throw new AdapterException($"{site.Path}: reduction is {values.Reduction.ToString(CultureInfo.InvariantCulture)}, expected at least 1.");
        var width = Math.Max(1, (long)(dim / values.Reduction));
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
            register_module("gate", _gate = new Gate(site, dim, GateSites.OfResidual(site), values.Pooling));
    }

    /// <summary>The width of the model: the norm's, or that of what the sub-layer's last linear layer puts out.</summary>
    private static long WidthOf(Site site)
    {
        var norm = site.Host.Module.named_parameters(recurse: false).Select(p => p.parameter).FirstOrDefault(p => p.dim() == 1);
        return norm?.shape[0] ?? (site.FindLinear("ffn_out") ?? site.FindLinear("o"))?.outputs ?? throw new AdapterException(
            $"{site.Path}: the width of the residual is not to be seen: no norm follows it, and no linear layer of this module bears the name of one that ends a sub-layer, " +
            "such as down_proj or o_proj.");
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
