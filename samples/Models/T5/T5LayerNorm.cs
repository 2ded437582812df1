using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary><c>weight · x / √(mean(x²) + ε)</c>: no mean is taken away, and there is no bias.</summary>
public partial class T5LayerNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly double eps;

    public T5LayerNorm(long size, double eps) : base(nameof(T5LayerNorm))
    {
        weight = new Parameter(ones(size));
        this.eps = eps;
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden_states)
    {
        using var scope = NewDisposeScope();
        var wide = hidden_states.to(ScalarType.Float32);
        var variance = wide.pow(2).mean([-1], keepdim: true);
        return (weight * (wide * rsqrt(variance + eps)).to(weight.dtype)).MoveToOuterDisposeScope();
    }
}
