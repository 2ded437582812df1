using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention and feed-forward network, each on normed input and added to the residual stream.</summary>
[GradientCheckpointing]
public partial class LlamaDecoderLayer : nn.Module<Tensor, Tensor, Tensor, Tensor?, KeyValueCache?, Tensor>
{
    private readonly LlamaAttention self_attn;
    private readonly LlamaMLP mlp;
    private readonly LlamaRMSNorm input_layernorm;
    private readonly LlamaRMSNorm post_attention_layernorm;

    public LlamaDecoderLayer(LlamaConfig config, int layerIndex) : base(nameof(LlamaDecoderLayer))
    {
        self_attn = new LlamaAttention(config, layerIndex);
        mlp = new LlamaMLP(config);
        input_layernorm = new LlamaRMSNorm(config.HiddenSize, config.RmsNormEps);
        post_attention_layernorm = new LlamaRMSNorm(config.HiddenSize, config.RmsNormEps);
        RegisterComponents();
    }

    /// <inheritdoc cref="LlamaAttention.forward"/>
    public override Tensor forward(Tensor hidden_states, Tensor cos, Tensor sin, Tensor? mask, KeyValueCache? cache)
    {
        var normed = input_layernorm.forward(hidden_states);
        var attended = self_attn.forward(normed, cos, sin, mask, cache);
        normed.Dispose();
        using var residual = hidden_states + attended;
        attended.Dispose();

        normed = post_attention_layernorm.forward(residual);
        using var fed = mlp.forward(normed);
        normed.Dispose();
        return residual + fed;
    }
}
