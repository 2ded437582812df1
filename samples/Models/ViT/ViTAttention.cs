using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention in which every token sees every other one, with its output projection.</summary>
public partial class ViTAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear q_proj;
    private readonly Linear k_proj;
    private readonly Linear v_proj;
    private readonly Linear o_proj;

    private readonly long headDim;
    private readonly double dropout;

    public ViTAttention(ViTConfig config) : base(nameof(ViTAttention))
    {
        headDim = config.HiddenSize / config.NumAttentionHeads;
        dropout = config.AttentionDropout;
        q_proj = nn.Linear(config.HiddenSize, config.HiddenSize, config.QkvBias);
        k_proj = nn.Linear(config.HiddenSize, config.HiddenSize, config.QkvBias);
        v_proj = nn.Linear(config.HiddenSize, config.HiddenSize, config.QkvBias);
        o_proj = nn.Linear(config.HiddenSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states)
    {
        using var scope = NewDisposeScope();
        var q = SplitHeads(q_proj.forward(hidden_states));
        var k = SplitHeads(k_proj.forward(hidden_states));
        var v = SplitHeads(v_proj.forward(hidden_states));
        var context = nn.functional.scaled_dot_product_attention(q, k, v, null, training ? dropout : 0);
        return o_proj.forward(context.transpose(1, 2).flatten(2)).MoveToOuterDisposeScope();
    }

    /// <summary><c>[batch, tokens, hidden]</c> → <c>[batch, heads, tokens, head_dim]</c>.</summary>
    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], -1, headDim).transpose(1, 2);
}
