using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Causal attention whose queries, keys and values come from one projection.</summary>
public partial class GPT2Attention : nn.Module<Tensor, Tensor?, KeyValueCache?, Tensor>
{
    private readonly Conv1D c_attn;
    private readonly Conv1D c_proj;

    private readonly long heads;
    private readonly double attentionDropout;
    private readonly double residualDropout;
    private readonly int layerIndex;

    public GPT2Attention(GPT2Config config, int layerIndex) : base(nameof(GPT2Attention))
    {
        heads = config.Heads;
        attentionDropout = config.AttentionDropout;
        residualDropout = config.ResidualDropout;
        this.layerIndex = layerIndex;
        c_attn = new Conv1D(config.HiddenSize, 3 * config.HiddenSize);
        c_proj = new Conv1D(config.HiddenSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <param name="mask">Additive, <c>[batch or 1, 1, tokens, keys]</c>; null: every key is seen.</param>
    /// <param name="cache">Keys and values of the tokens before; null: there are none.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states, Tensor? mask, KeyValueCache? cache)
    {
        using var scope = NewDisposeScope();
        var parts = c_attn.forward(hidden_states).chunk(3, -1);
        var (q, k, v) = (SplitHeads(parts[0]), SplitHeads(parts[1]), SplitHeads(parts[2]));
        if (cache is not null) (k, v) = cache.Update(layerIndex, k, v);
        var context = nn.functional.scaled_dot_product_attention(q, k, v, mask, training ? attentionDropout : 0);
        var merged = c_proj.forward(context.transpose(1, 2).flatten(2));
        return nn.functional.dropout(merged, residualDropout, training).MoveToOuterDisposeScope();
    }

    /// <summary><c>[batch, tokens, hidden]</c> → <c>[batch, heads, tokens, head size]</c>.</summary>
    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2);
}
