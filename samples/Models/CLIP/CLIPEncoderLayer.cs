using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention and feed-forward network, each on normed input and added to the residual stream.</summary>
[GradientCheckpointing]
public partial class CLIPEncoderLayer : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly CLIPAttention self_attn;
    private readonly LayerNorm layer_norm1;
    private readonly CLIPMLP mlp;
    private readonly LayerNorm layer_norm2;

    public CLIPEncoderLayer(CLIPEncoderConfig config) : base(nameof(CLIPEncoderLayer))
    {
        self_attn = new CLIPAttention(config);
        layer_norm1 = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        mlp = new CLIPMLP(config);
        layer_norm2 = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <inheritdoc cref="CLIPAttention.forward"/>
    public override Tensor forward(Tensor hidden_states, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        var residual = hidden_states + self_attn.forward(layer_norm1.forward(hidden_states), mask);
        return (residual + mlp.forward(layer_norm2.forward(residual))).MoveToOuterDisposeScope();
    }
}
