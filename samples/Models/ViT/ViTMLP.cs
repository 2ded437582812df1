using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The feed-forward network: <c>fc2(gelu(fc1(x)))</c>.</summary>
public partial class ViTMLP : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1;
    private readonly Linear fc2;

    public ViTMLP(ViTConfig config) : base(nameof(ViTMLP))
    {
        fc1 = nn.Linear(config.HiddenSize, config.IntermediateSize);
        fc2 = nn.Linear(config.IntermediateSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states)
    {
        using var inner = fc1.forward(hidden_states);
        using var active = nn.functional.gelu(inner);
        return fc2.forward(active);
    }
}
