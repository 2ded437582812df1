using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods.Hosts;

/// <summary>A small decoder with a cache, learned positions, fewer heads of keys than of queries, and no biases: what methods of attention need.</summary>
[PrefixTuning(3)]
[PrefixTuning(3, Projection = 4, Gated = true, SharedGate = false, Pooling = GatePooling.Masked, Group = "gated")]
[AdaptionPrompt(3, Group = "prompted")]
[UniPELT(rank: 2, length: 2, reduction: 2, Projection = 3, Group = "gatedParts")]
[PrefixTuning(2, positions: PrefixPositions.Unmoved, Projection = 3, Gated = true, Pooling = GatePooling.Masked, Group = "apart")]
[Bottleneck(2, Gated = true, Pooling = GatePooling.Masked, Group = "apart")]
[LoRA(2, Gated = true, Pooling = GatePooling.Masked, Group = "apart")]
[MAM(length: 2, reduction: 2, Projection = 3, Group = "parts")]
[PrefixTuning(2, Group = "both")]
[PromptTuning(3, "embed_tokens", Group = "both")]
[NoReFT(2, 2, 1, Group = "states")]
public partial class PrefixModel : nn.Module<Tensor, Tensor?, PrefixCache?, Tensor>
{
    public const int Vocabulary = 13, Width = 8, Blocks = 2;
    private readonly Embedding embed_tokens = nn.Embedding(Vocabulary, Width);
    private readonly Embedding positions = nn.Embedding(32, Width);
    private readonly ModuleList<PrefixBlock> layers = nn.ModuleList(Enumerable.Range(0, Blocks).Select(i => new PrefixBlock(i)).ToArray());
    private readonly Linear lm_head = nn.Linear(Width, Vocabulary, hasBias: false);

    public PrefixModel() : base(nameof(PrefixModel))
    {
        RegisterComponents();
        Fill.Normal(this, 1, 0.5);
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>, the new ones where there is a cache.</param>
    /// <param name="attention_mask"><c>[batch, all tokens]</c>; null: all are real. Padding stands on the right.</param>
    /// <param name="cache">What was seen before; null: nothing.</param>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, PrefixCache? cache = null)
    {
        using var scope = NewDisposeScope();
        var (tokens, past) = (input_ids.shape[1], cache?.Length ?? 0);
        var at = Attention.Positions(arange(past, past + tokens, ScalarType.Int64).unsqueeze(0));
        var x = embed_tokens.forward(input_ids) + positions.forward(at);
        var seen = ones([1, 1, tokens, past + tokens], ScalarType.Bool).tril(past);
        if (attention_mask is not null) seen = seen.logical_and(attention_mask.to(ScalarType.Bool).unsqueeze(1).unsqueeze(1));
        var mask = zeros(seen.shape, x.dtype).masked_fill(seen.logical_not(), -1e9);
        foreach (var layer in layers)
            x = layer.forward(x, mask, cache);
        return lm_head.forward(x).MoveToOuterDisposeScope();
    }
}

public partial class PrefixBlock(int index) : nn.Module<Tensor, Tensor, PrefixCache?, Tensor>(nameof(PrefixBlock))
{
    private readonly PrefixAttention self_attn = new(index);
    private readonly PrefixMlp mlp = new();

    public override Tensor forward(Tensor x, Tensor mask, PrefixCache? cache)
    {
        using var attended = x + self_attn.forward(x, mask, cache);
        return attended + mlp.forward(attended);
    }
}

public partial class PrefixAttention : nn.Module<Tensor, Tensor, PrefixCache?, Tensor>
{
    private const long Heads = 4, KeyHeads = 2, HeadDim = 3;
    private readonly Linear q_proj = nn.Linear(PrefixModel.Width, Heads * HeadDim, hasBias: false);
    private readonly Linear k_proj = nn.Linear(PrefixModel.Width, KeyHeads * HeadDim, hasBias: false);
    private readonly Linear v_proj = nn.Linear(PrefixModel.Width, KeyHeads * HeadDim, hasBias: false);
    private readonly Linear o_proj = nn.Linear(Heads * HeadDim, PrefixModel.Width, hasBias: false);
    private readonly int index;

    public PrefixAttention(int index) : base(nameof(PrefixAttention))
    {
        this.index = index;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x, Tensor mask, PrefixCache? cache)
    {
        using var scope = NewDisposeScope();
        var q = Split(q_proj.forward(x));
        var (k, v) = (Split(k_proj.forward(x)), Split(v_proj.forward(x)));
        if (cache is not null) (k, v) = cache.Update(index, k, v);
        var seen = nn.functional.scaled_dot_product_attention(q, k.repeat_interleave(Heads / KeyHeads, 1), v.repeat_interleave(Heads / KeyHeads, 1), mask);
        return o_proj.forward(seen.transpose(1, 2).flatten(2)).MoveToOuterDisposeScope();
    }

    private static Tensor Split(Tensor x) => x.view(x.shape[0], x.shape[1], -1, HeadDim).transpose(1, 2);
}

public partial class PrefixMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear up_proj = nn.Linear(PrefixModel.Width, 10);
    private readonly Linear down_proj = nn.Linear(10, PrefixModel.Width);

    public PrefixMlp() : base(nameof(PrefixMlp)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var hidden = up_proj.forward(x);
        using var active = hidden.tanh();
        return down_proj.forward(active);
    }
}

/// <summary>Keys and values of the tokens before, by layer.</summary>
public sealed class PrefixCache : ITokenCache, IDisposable
{
    private readonly Dictionary<int, (Tensor k, Tensor v)> _layers = [];

    public long Length => _layers.TryGetValue(0, out var first) ? first.k.shape[2] : 0;

    public (Tensor k, Tensor v) Update(int layer, Tensor k, Tensor v)
    {
        if (_layers.TryGetValue(layer, out var before))
        {
            (k, v) = (cat([before.k, k], 2), cat([before.v, v], 2));
            before.k.Dispose();
            before.v.Dispose();
        }

        _layers[layer] = (k.clone().DetachFromDisposeScope(), v.clone().DetachFromDisposeScope());
        return (k, v);
    }

    public void Dispose()
    {
        foreach (var (k, v) in _layers.Values)
        {
            k.Dispose();
            v.Dispose();
        }
    }
}
