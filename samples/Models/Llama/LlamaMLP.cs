using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The gated feed-forward network: <c>down(silu(gate(x)) · up(x))</c>.</summary>
public partial class LlamaMLP : nn.Module<Tensor, Tensor>
{
    private readonly FastLinear gate_proj;
    private readonly FastLinear up_proj;
    private readonly FastLinear down_proj;

    public LlamaMLP(LlamaConfig config) : base(nameof(LlamaMLP))
    {
        gate_proj = new FastLinear(config.HiddenSize, config.IntermediateSize, config.MlpBias);
        up_proj = new FastLinear(config.HiddenSize, config.IntermediateSize, config.MlpBias);
        down_proj = new FastLinear(config.IntermediateSize, config.HiddenSize, config.MlpBias);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        var gate = gate_proj.forward(x);
        using var open = nn.functional.silu(gate);
        gate.Dispose();
        using var up = up_proj.forward(x);
        using var inner = open * up;
        return down_proj.forward(inner);
    }
}
