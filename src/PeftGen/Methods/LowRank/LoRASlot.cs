using System.Globalization;
using PeftGen.Methods;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen;

/// <summary>LoRA beside one linear layer; the formula is <see cref="LoRA"/>'s.</summary>
internal sealed class LoRASlot : LayerSlot
{
    private readonly double _scaling;
    private readonly double _dropout;
    private readonly bool _biasInB;
    private readonly DropoutSource _masks;
    private readonly Gate? _gate;
    private readonly FusedRows? _fused;

    public LoRASlot(Site site, int rank, double scaling, LoRA values) : base(site.Path)
    {
        var host = HostLinear.Of(site.Host.Module, site.Path, "LoRA");
        _fused = site.Parts is { } parts ? new FusedRows(parts, host.Outputs) : null;
        var (features, inputs, count) = (_fused?.Length ?? host.Outputs, host.Inputs, _fused?.Count ?? 1);
        _scaling = scaling;
        _dropout = values.Dropout is >= 0 and < 1 ? values.Dropout : throw new AdapterException(
            $"{site.Path}: Dropout is {values.Dropout.ToString(CultureInfo.InvariantCulture)}, expected a probability of at least 0 and less than 1.");
        _biasInB = values.BiasInB;
        _masks = site.Dropout;
        Learn("lora_A", Start.Matrix(site, rank * count, inputs, values.Init));
        Learn("lora_B", zeros(features, rank, dtype: site.Dtype, device: site.Device));
        if (_biasInB)
            Learn("lora_B_bias", zeros(features, dtype: site.Dtype, device: site.Device));
        if (values.Gated)
        {
            _gate = new Gate(site, inputs, GateSites.OfLinear(site), values.Pooling, count);
            register_module("gate", _gate);
        }
    }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        var y = layer.forward(x);
        var a = this["lora_A"];
        using var b = B();
        using var typed = x.dtype == a.dtype ? null : x.to(a.dtype);
        var input = typed ?? x;
        using var dropped = training && _dropout > 0 ? _masks.Drop(input, _dropout) : null;
        using var h = linear(dropped ?? input, a);
        if (_gate is null && !_biasInB && y.dtype == a.dtype)
            return AddProduct(y, h, b);

        using var bias = _biasInB ? BiasOfB() : null;
        using var product = linear(h, b, bias);
        using var scaled = _gate is null ? product * _scaling : Gated(layer.Context, input, product);
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

    /// <summary>y + s·hBᵀ in one multiplication.</summary>
    private Tensor AddProduct(Tensor y, Tensor h, Tensor b)
    {
        using (y)
        {
            using var transposed = b.t();
            if (y.dim() == 2)
                return addmm(y, h, transposed, 1, (float)_scaling);
            using var flatY = y.reshape(-1, y.shape[^1]);
            using var flatH = h.reshape(-1, h.shape[^1]);
            using var sum = addmm(flatY, flatH, transposed, 1, (float)_scaling);
            return sum.view(y.shape);
        }
    }

    private Tensor Gated(ForwardContext context, Tensor x, Tensor product)
    {
        using var g = _gate!.forward(context, x);
        using var outputs = _fused is null ? g.alias() : OfOutputs(_fused, g);
        using var wide = outputs.view([g.shape[0], .. Enumerable.Repeat(1L, (int)product.dim() - 2), _fused is null ? 1 : product.shape[^1]]);
        return product * wide;
    }

    /// <summary>The gates of the parts, <c>[batch, parts]</c>, at each part's outputs: <c>[batch, outputs]</c>.</summary>
    private static Tensor OfOutputs(FusedRows fused, Tensor g)
    {
        using var mark = ones(fused.Length, 1, dtype: g.dtype, device: g.device);
        using var marks = fused.Blocks(mark);
        using var each = g.view(g.shape[0], -1);
        return linear(each, marks);
    }

    /// <summary>B for all the layer's outputs, <c>[out, rank]</c>: of some parts of a fused layer their blocks, <c>[out, rank · parts]</c>.</summary>
    private Tensor B() => _fused?.Blocks(this["lora_B"]) ?? this["lora_B"].alias();

    private Tensor BiasOfB()
    {
        if (_fused is null)
            return this["lora_B_bias"].alias();
        using var column = this["lora_B_bias"].unsqueeze(1);
        using var spread = _fused.Columns(column, 0);
        return spread.squeeze(1);
    }

    private Tensor Product()
    {
        using var b = B();
        return b.matmul(this["lora_A"]);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        if (format == FileFormat.AdapterHub)
            return [
                new($"{Path}.loras.{{name}}.lora_A", this["lora_A"]), new($"{Path}.loras.{{name}}.lora_B", this["lora_B"]),
                .. _gate?.StoredAs($"{Path}.loras.{{name}}.gate") ?? []];
        var root = $"{HuggingFaceKeys.Prefix}{Path}";
        return [
            new($"{root}.lora_A.weight", this["lora_A"]), new($"{root}.lora_B.weight", this["lora_B"]),
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
        using var delta = name == "bias" ? BiasOfB() : Product();
        using var oriented = name == "bias" ? delta.alias() : HostLinear.Of(host, Path, "LoRA").Oriented(delta);
        using var scaled = oriented * _scaling;
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

    public override bool CanMerge => _gate is null;

    public override IEnumerable<Parameter> MergeTargets(HostPart host)
    {
        var layer = HostLinear.Of(host.Module, Path, "LoRA");
        if (_biasInB && layer.Bias is null)
            throw new AdapterException($"{Path}: B has a bias, and the layer has none to take it. Run the model with its adapter instead.");
        return _biasInB ? [layer.Weight, layer.Bias!] : [layer.Weight];
    }

    public override void MergeInto(HostPart host)
    {
        var layer = HostLinear.Of(host.Module, Path, "LoRA");
        using var product = Product();
        using var scaled = product * _scaling;
        using var delta = layer.Oriented(scaled);
        Merging.Add(layer.Weight, delta);
        if (!_biasInB)
            return;
        using var bias = BiasOfB();
        using var scaledBias = bias * _scaling;
        Merging.Add(layer.Bias!, scaledBias);
    }
}
