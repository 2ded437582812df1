using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The encoder without its head.</summary>
public partial class ViTModel : nn.Module<Tensor, Tensor>
{
    private readonly ViTEmbeddings embeddings;
    private readonly ModuleList<ViTLayer> layers;
    private readonly LayerNorm layernorm;

    public ViTModel(ViTConfig config) : base(nameof(ViTModel))
    {
        embeddings = new ViTEmbeddings(config);
        layers = new ModuleList<ViTLayer>([.. Enumerable.Range(0, (int)config.NumHiddenLayers).Select(_ => new ViTLayer(config))]);
        layernorm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <inheritdoc cref="ViTForImageClassification.forward" path="/param"/>
    /// <returns>Hidden states of the class token and then the patches, <c>[batch, 1 + patches, hidden]</c>.</returns>
    public override Tensor forward(Tensor pixel_values)
    {
        using var scope = NewDisposeScope();
        var hidden_states = embeddings.forward(pixel_values);
        foreach (var layer in layers)
        {
            using var input = hidden_states;
            hidden_states = layer.forward(input);
        }
        return layernorm.forward(hidden_states).MoveToOuterDisposeScope();
    }
}
