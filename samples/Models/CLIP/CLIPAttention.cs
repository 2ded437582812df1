using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention of either tower, with its output projection.</summary>
public partial class CLIPAttention : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly Linear q_proj;
    private readonly Linear k_proj;
    private readonly Linear v_proj;
    private readonly Linear out_proj;

    private readonly long headDim;
    private readonly double dropout;

    public CLIPAttention(CLIPEncoderConfig config) : base(nameof(CLIPAttention))
    {
        headDim = config.HiddenSize / config.NumAttentionHeads;
        dropout = config.AttentionDropout;
        q_proj = nn.Linear(config.HiddenSize, config.HiddenSize);
        k_proj = nn.Linear(config.HiddenSize, config.HiddenSize);
        v_proj = nn.Linear(config.HiddenSize, config.HiddenSize);
        out_proj = nn.Linear(config.HiddenSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <param name="mask">Additive, <c>[batch or 1, 1, tokens, tokens]</c>; null: every token is seen.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states, Tensor? mask)
    {
        using var scope = NewDisposeScope();
        var q = SplitHeads(q_proj.forward(hidden_states));
        var k = SplitHeads(k_proj.forward(hidden_states));
        var v = SplitHeads(v_proj.forward(hidden_states));
        var context = nn.functional.scaled_dot_product_attention(q, k, v, mask, training ? dropout : 0);
        return out_proj.forward(context.transpose(1, 2).flatten(2)).MoveToOuterDisposeScope();
    }

    /// <summary><c>[batch, tokens, hidden]</c> → <c>[batch, heads, tokens, head_dim]</c>.</summary>
    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], -1, headDim).transpose(1, 2);
}
