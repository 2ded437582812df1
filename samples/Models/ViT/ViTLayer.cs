using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention and feed-forward network, each on normed input and added to the residual stream.</summary>
[GradientCheckpointing]
public partial class ViTLayer : nn.Module<Tensor, Tensor>
{
    private readonly ViTAttention attention;
    private readonly LayerNorm layernorm_before;
    private readonly LayerNorm layernorm_after;
    private readonly ViTMLP mlp;
    private readonly Dropout dropout;

    public ViTLayer(ViTConfig config) : base(nameof(ViTLayer))
    {
        attention = new ViTAttention(config);
        layernorm_before = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        layernorm_after = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        mlp = new ViTMLP(config);
        dropout = nn.Dropout(config.HiddenDropout);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states)
    {
        using var scope = NewDisposeScope();
        var residual = hidden_states + dropout.forward(attention.forward(layernorm_before.forward(hidden_states)));
        return (residual + dropout.forward(mlp.forward(layernorm_after.forward(residual)))).MoveToOuterDisposeScope();
    }
}
