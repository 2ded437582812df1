using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The feed-forward network: <c>c_proj(gelu(c_fc(x)))</c>.</summary>
public partial class GPT2MLP : nn.Module<Tensor, Tensor>
{
    private readonly Conv1D c_fc;
    private readonly Conv1D c_proj;
    private readonly double dropout;

    public GPT2MLP(GPT2Config config) : base(nameof(GPT2MLP))
    {
        c_fc = new Conv1D(config.HiddenSize, config.InnerSize);
        c_proj = new Conv1D(config.InnerSize, config.HiddenSize);
        dropout = config.ResidualDropout;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var inner = Gelu(c_fc.forward(x));
        return nn.functional.dropout(c_proj.forward(inner), dropout, training).MoveToOuterDisposeScope();
    }

    /// <summary>GPT-2's own approximation: <c>½x(1 + tanh(√(2/π)(x + 0.044715x³)))</c>.</summary>
    private static Tensor Gelu(Tensor x) => 0.5 * x * (1 + (Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x.pow(3)))).tanh());
}
