using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention in which every token sees every real one.</summary>
public partial class BertSelfAttention : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly FastLinear query;
    private readonly FastLinear key;
    private readonly FastLinear value;
    private readonly Dropout dropout;

    private readonly long headDim;

    public BertSelfAttention(BertConfig config) : base(nameof(BertSelfAttention))
    {
        headDim = config.HiddenSize / config.NumAttentionHeads;
        query = new FastLinear(config.HiddenSize, config.HiddenSize);
        key = new FastLinear(config.HiddenSize, config.HiddenSize);
        value = new FastLinear(config.HiddenSize, config.HiddenSize);
        dropout = nn.Dropout(config.AttentionDropout);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <param name="attention_mask">Additive, <c>[batch, 1, 1, tokens]</c>; null: every token is seen.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states, Tensor? attention_mask = null)
    {
        using var scope = NewDisposeScope();
        var q = SplitHeads(query.forward(hidden_states));
        var k = SplitHeads(key.forward(hidden_states));
        var v = SplitHeads(value.forward(hidden_states));
        (k, v, var mask) = Attention.Attach(hidden_states, q, k, v, attention_mask);
        var scores = matmul(q, k.transpose(-1, -2)) / Math.Sqrt(headDim);
        if (mask is not null) scores = scores + mask;
        var weights = dropout.forward(scores.softmax(-1));
        return matmul(weights, v).transpose(1, 2).flatten(2).MoveToOuterDisposeScope();
    }

    /// <summary><c>[batch, tokens, hidden]</c> → <c>[batch, heads, tokens, head_dim]</c>.</summary>
    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], -1, headDim).transpose(1, 2);
}
