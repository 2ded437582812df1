using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary><c>weight · x / √(mean(x²) + ε)</c>, computed in float32 (https://arxiv.org/abs/1910.07467).</summary>
public partial class LlamaRMSNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly double eps;

    public LlamaRMSNorm(long size, double eps) : base(nameof(LlamaRMSNorm))
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
        var normed = (wide * rsqrt(variance + eps)).to(hidden_states.dtype);
        return (weight * normed).MoveToOuterDisposeScope();
    }
}
