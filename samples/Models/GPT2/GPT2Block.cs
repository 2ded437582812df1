using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention and feed-forward network, each on normed input and added to the residual stream.</summary>
[GradientCheckpointing]
public partial class GPT2Block : nn.Module<Tensor, Tensor?, KeyValueCache?, Tensor>
{
    private readonly LayerNorm ln_1;
    private readonly GPT2Attention attn;
    private readonly LayerNorm ln_2;
    private readonly GPT2MLP mlp;

    public GPT2Block(GPT2Config config, int layerIndex) : base(nameof(GPT2Block))
    {
        ln_1 = nn.LayerNorm(config.HiddenSize, config.LayerNormEpsilon);
        attn = new GPT2Attention(config, layerIndex);
        ln_2 = nn.LayerNorm(config.HiddenSize, config.LayerNormEpsilon);
        mlp = new GPT2MLP(config);
        RegisterComponents();
    }

    /// <inheritdoc cref="GPT2Attention.forward"/>
    public override Tensor forward(Tensor hidden_states, Tensor? mask, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var residual = hidden_states + attn.forward(ln_1.forward(hidden_states), mask, cache);
        return (residual + mlp.forward(ln_2.forward(residual))).MoveToOuterDisposeScope();
    }
}
