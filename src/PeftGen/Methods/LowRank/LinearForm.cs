using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>Beside a linear layer, or parts of a fused one: A <c>[rank, in]</c>, B <c>[out, rank]</c>.</summary>
internal sealed class LinearForm : LowRankForm
{
    private readonly string _path;
    private readonly long _inputs;
    private readonly FusedRows? _fused;

    public LinearForm(Site site)
    {
        _path = site.Path;
        var host = Host(site.Host.Module);
        _inputs = host.Inputs;
        _fused = site.Parts is { } parts ? new FusedRows(parts, host.Outputs) : null;
        Outputs = _fused?.Length ?? host.Outputs;
    }

    public override (string a, string b) FileNames => ("lora_A.weight", "lora_B.weight");

    public override long Outputs { get; }

    public override int Count => _fused?.Count ?? 1;

    public override (Tensor a, Tensor b) Start(Site site, int rank, LoRAInit init) =>
        (Methods.Start.Matrix(site, rank * Count, _inputs, init), site.Zeros(Outputs, rank));

    public override Tensor Down(Tensor x, Tensor a) => linear(x, a);

    public override Tensor Up(Tensor h, Tensor b, Tensor? bias)
    {
        using var wide = Wide(b);
        return linear(h, wide, bias);
    }

    /// <summary>In one multiplication.</summary>
    public override Tensor AddTo(Tensor y, Tensor h, Tensor b, double scaling)
    {
        using (y)
        {
            using var wide = Wide(b);
            using var transposed = wide.t();
            // addmm takes its factors in float32, which is not enough beside float64.
            using var exact = y.dtype == ScalarType.Float64 ? h * scaling : null;
            var (factor, scaled) = exact is null ? ((float)scaling, h) : (1, exact);
            if (y.dim() == 2)
                return addmm(y, scaled, transposed, 1, factor);
            using var flatY = y.reshape(-1, y.shape[^1]);
            using var flatH = scaled.reshape(-1, scaled.shape[^1]);
            using var sum = addmm(flatY, flatH, transposed, 1, factor);
            return sum.view(y.shape);
        }
    }

    public override Tensor Delta(Tensor a, Tensor b)
    {
        using var wide = Wide(b);
        return wide.matmul(a);
    }

    public override Tensor Bias(Tensor bias)
    {
        if (_fused is null)
            return bias.alias();
        using var column = bias.unsqueeze(1);
        using var spread = _fused.Columns(column, 0);
        return spread.squeeze(1);
    }

    public override (Parameter weight, Parameter? bias) ParametersOf(nn.Module host)
    {
        var layer = Host(host);
        return (layer.Weight, layer.Bias);
    }

    /// <summary>A matrix <c>[out, in]</c> as the layer keeps it.</summary>
    public Tensor Oriented(nn.Module host, Tensor delta) => Host(host).Oriented(delta);

    /// <summary>The gates of the parts, <c>[batch]</c> or <c>[batch, parts]</c>, for the layer's outputs: <c>[batch, 1 or out]</c>.</summary>
    public Tensor OfOutputs(Tensor g)
    {
        if (_fused is null)
            return g.unsqueeze(1);
        using var each = g.view(g.shape[0], -1);
        return _fused.Examples(each);
    }

    /// <summary>B for all the layer's outputs.</summary>
    private Tensor Wide(Tensor b) => _fused?.Blocks(b) ?? b.alias();

    private HostLinear Host(nn.Module module) => HostLinear.Of(module, _path, "LoRA");
}
