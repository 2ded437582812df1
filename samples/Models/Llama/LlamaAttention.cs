using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Causal attention with rotary positions and fewer key heads than query heads.</summary>
public partial class LlamaAttention : nn.Module<Tensor, Tensor, Tensor, Tensor?, KeyValueCache?, Tensor>
{
    private readonly FastLinear q_proj;
    private readonly FastLinear k_proj;
    private readonly FastLinear v_proj;
    private readonly FastLinear o_proj;

    private readonly long headDim;
    private readonly long sharing;
    private readonly double dropout;
    private readonly int layerIndex;

    public LlamaAttention(LlamaConfig config, int layerIndex) : base(nameof(LlamaAttention))
    {
        headDim = config.HeadDim;
        sharing = config.NumAttentionHeads / config.NumKeyValueHeads;
        dropout = config.AttentionDropout;
        this.layerIndex = layerIndex;
        q_proj = new FastLinear(config.HiddenSize, config.NumAttentionHeads * headDim, config.AttentionBias);
        k_proj = new FastLinear(config.HiddenSize, config.NumKeyValueHeads * headDim, config.AttentionBias);
        v_proj = new FastLinear(config.HiddenSize, config.NumKeyValueHeads * headDim, config.AttentionBias);
        o_proj = new FastLinear(config.NumAttentionHeads * headDim, config.HiddenSize, config.AttentionBias);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <param name="cos">Rotary table of the tokens, <c>[batch or 1, 1, tokens, head_dim]</c>.</param>
    /// <param name="sin">As <paramref name="cos"/>.</param>
    /// <param name="mask">Additive, <c>[batch or 1, 1, tokens, keys]</c>; null: every key is seen.</param>
    /// <param name="cache">Keys and values of the tokens before; null: there are none.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states, Tensor cos, Tensor sin, Tensor? mask, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var q = RotaryEmbedding.Rotate(SplitHeads(q_proj.forward(hidden_states)), cos, sin);
        var k = RotaryEmbedding.Rotate(SplitHeads(k_proj.forward(hidden_states)), cos, sin);
        var v = SplitHeads(v_proj.forward(hidden_states));
        if (cache is not null) (k, v) = cache.Update(layerIndex, k, v);
        var context = nn.functional.scaled_dot_product_attention(q, ShareHeads(k), ShareHeads(v), mask, training ? dropout : 0);
        return o_proj.forward(context.transpose(1, 2).flatten(2)).MoveToOuterDisposeScope();
    }

    /// <summary><c>[batch, tokens, heads · head_dim]</c> → <c>[batch, heads, tokens, head_dim]</c>.</summary>
    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], -1, headDim).transpose(1, 2);

    /// <summary>Repeats each key head for the query heads that share it.</summary>
    private Tensor ShareHeads(Tensor x) =>
        sharing == 1 ? x : x.unsqueeze(2).expand(-1, -1, sharing, -1, -1).flatten(1, 2);
}
