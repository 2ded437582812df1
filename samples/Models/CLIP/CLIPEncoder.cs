using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>All layers of a tower in turn.</summary>
public partial class CLIPEncoder : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly ModuleList<CLIPEncoderLayer> layers;

    public CLIPEncoder(CLIPEncoderConfig config) : base(nameof(CLIPEncoder))
    {
        layers = new ModuleList<CLIPEncoderLayer>([.. Enumerable.Range(0, (int)config.NumHiddenLayers).Select(_ => new CLIPEncoderLayer(config))]);
        RegisterComponents();
    }

    /// <inheritdoc cref="CLIPAttention.forward"/>
    public override Tensor forward(Tensor hidden_states, Tensor? mask)
    {
        // A tensor of its own, so that the caller's is not disposed with the inner ones.
        hidden_states = hidden_states.alias();
        foreach (var layer in layers)
        {
            using var input = hidden_states;
            hidden_states = layer.forward(input, mask);
        }
        return hidden_states;
    }
}
