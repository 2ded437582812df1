using System.Diagnostics.CodeAnalysis;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Compiled;

/// <summary>What compiled code calls where attention is written by hand: keys, masks, scores and values, each on its way, with what the slot attaches.</summary>
public static class AttentionCalls
{
    /// <summary>The keys on their way into the product with the queries, with those that the slot puts in front.</summary>
    /// <param name="slot">The slot; null: the base alone.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="x">The attention's input, <c>[batch, tokens, dim]</c>.</param>
    /// <param name="q">Queries, <c>[batch, heads, tokens, head_dim]</c> or <c>[batch · heads, tokens, head_dim]</c>.</param>
    /// <param name="k">Keys as the product takes them, <c>[…, head_dim, keys]</c>.</param>
    /// <param name="v">Values, <c>[…, keys, head_dim]</c>.</param>
    /// <param name="turned">Whether the keys are turned for a product of matrices; false: they are <c>[…, keys, head_dim]</c>.</param>
    /// <param name="queryScale">By what the queries were multiplied before.</param>
    /// <param name="keyScale">By what the keys were multiplied before.</param>
    /// <param name="rowsFirst">Of heads that are folded into the batch, whether those of one row follow each other; null: the code does not show it.</param>
    public static Tensor keys(
        this AttentionSlot? slot, ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, bool turned = true, double queryScale = 1, double keyScale = 1, bool? rowsFirst = null)
    {
        if (slot is null)
            return k;
        var call = context.State<HandAttention>(slot);
        call.Begin(slot.Path, x.shape[0], rowsFirst, isFolded: k.dim() < HandAttention.Dimensions);
        var plain = turned ? k.transpose(-2, -1) : k.alias();
        var (ownKeys, ownValues, queries) = (call.Unfolded(plain), call.Unfolded(v), call.Unfolded(q));
        if (queryScale != 1)
            queries = context.Keep(queries / queryScale);
        var (newKeys, newValues, mask) = slot.forward(context, x, queries, ownKeys, ownValues, null);
        call.Keys = ownKeys.shape[2];
        call.Added = newKeys.shape[2] - call.Keys;
        call.Mask = mask;
        call.Values = ReferenceEquals(newValues, ownValues) ? null : context.Keep(call.Folded(newValues));
        if (ReferenceEquals(newKeys, ownKeys))
            return k;
        if (keyScale != 1 && call.Added > 0)
            newKeys = context.Keep(cat([newKeys.narrow(2, 0, call.Added) * keyScale, newKeys.narrow(2, call.Added, call.Keys)], 2));
        var folded = context.Keep(call.Folded(newKeys));
        return turned ? context.Keep(folded.transpose(-2, -1)) : folded;
    }

    /// <summary>A mask on its way to the scores, with what lets all queries see what the slot put in front.</summary>
    /// <param name="slot">The slot; null: the base alone.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="mask">The mask, broadcastable to the scores.</param>
    /// <param name="seen">Whether a bool mask says which keys are seen; false: which are hidden.</param>
    [return: NotNullIfNotNull(nameof(mask))]
    public static Tensor? mask(this AttentionSlot? slot, ForwardContext context, Tensor? mask, bool seen = false)
    {
        if (slot is null || mask is null || mask.dim() == 0 || context.State<HandAttention>(slot) is not { Added: > 0 and var added, Keys: var keys })
            return mask;
        if (mask.shape[^1] != keys && mask.shape[^1] != 1)
            throw new AdapterException(
                $"{slot.Path}: found a mask for {mask.shape[^1]} keys, expected {keys} as in the product with the queries. Write (k, v, mask) = Attention.Attach(x, q, k, v, mask) before the scores, and use what it returns.");
        // A mask may say one thing for all keys; what is in front is to be seen even where that is no.
        using var whole = mask.expand([.. mask.shape[..^1], keys]);
        using var visible = seen ? ones([.. mask.shape[..^1], added], dtype: mask.dtype, device: mask.device) : zeros([.. mask.shape[..^1], added], dtype: mask.dtype, device: mask.device);
        return context.Keep(cat([visible, whole], -1));
    }

    /// <summary>The shape of the scores, as the model would have it without what the slot put in front: it checks it, or makes masks of it.</summary>
    /// <param name="slot">The slot; null: the base alone.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="shape">The shape, with the keys last.</param>
    public static long[] shape(this AttentionSlot? slot, ForwardContext context, long[] shape) =>
        slot is null || context.State<HandAttention>(slot).Added == 0 ? shape : [.. shape[..^1], shape[^1] - context.State<HandAttention>(slot).Added];

    /// <summary>The scores on their way into the softmax, with the mask that the slot brings.</summary>
    /// <param name="slot">The slot; null: the base alone.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="scores">The scores, scaled and masked.</param>
    public static Tensor scores(this AttentionSlot? slot, ForwardContext context, Tensor scores) =>
        slot is null || context.State<HandAttention>(slot) is not { Mask: { } mask } call ? scores : context.Keep(scores + call.FoldedMask(mask, scores));

    /// <summary>The values on their way into the product with the weights, with those that the slot put in front.</summary>
    /// <param name="slot">The slot; null: the base alone.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="v">Values, <c>[…, keys, head_dim]</c>.</param>
    public static Tensor values(this AttentionSlot? slot, ForwardContext context, Tensor v) =>
        slot is null ? v : context.State<HandAttention>(slot).Values ?? v;
}

/// <summary>One passage of attention that is written by hand, between the keys and the values.</summary>
internal sealed class HandAttention
{
    /// <summary>Of keys with heads in a dimension of their own.</summary>
    public const int Dimensions = 4;

    private string _path = "";
    private long _rows;
    private bool? _rowsFirst;
    private bool _isFolded;

    /// <summary>The number of the model's own keys.</summary>
    public long Keys { get; set; }

    /// <summary>The number of keys that were put in front.</summary>
    public long Added { get; set; }

    /// <summary>The values with those in front; null: the model's own.</summary>
    public Tensor? Values { get; set; }

    /// <summary>The slot's own mask, additive, <c>[batch, heads or 1, tokens or 1, keys]</c>; null: none.</summary>
    public Tensor? Mask { get; set; }

    public void Begin(string path, long rows, bool? rowsFirst, bool isFolded) => (_path, _rows, _rowsFirst, _isFolded, Values, Mask) = (path, rows, rowsFirst, isFolded, null, null);

    /// <summary><c>[batch · heads, n, size]</c> → <c>[batch, heads, n, size]</c>.</summary>
    public Tensor Unfolded(Tensor x)
    {
        if (x.dim() == Dimensions)
            return x;
        if (x.dim() == Dimensions - 1 && x.shape[0] == _rows)
            return x.unsqueeze(1);
        if (x.dim() != Dimensions - 1 || x.shape[0] % _rows != 0 || _rowsFirst is not { } rowsFirst)
            throw new AdapterException(
                $"{_path}: found queries, keys or values of shape [{string.Join(", ", x.shape)}] for {_rows} rows, and the code does not show how heads lie in the batch; expected [batch, heads, tokens, head_dim]. " +
                "Write (k, v, mask) = Attention.Attach(x, q, k, v, mask) where they have that shape, before the scores, and use what it returns.");
        var heads = x.shape[0] / _rows;
        return rowsFirst ? x.unflatten(0, _rows, heads) : x.unflatten(0, heads, _rows).transpose(0, 1);
    }

    /// <summary>The other way round.</summary>
    public Tensor Folded(Tensor x) => _isFolded ? Merged(x) : x;

    /// <summary>A mask as scores of such a shape take it.</summary>
    public Tensor FoldedMask(Tensor mask, Tensor scores) =>
        scores.dim() == Dimensions ? mask : Merged(mask.expand(mask.shape[0], scores.shape[0] / _rows, -1, -1));

    private Tensor Merged(Tensor x) => x.shape[1] == 1 ? x.squeeze(1) : (_rowsFirst == true ? x : x.transpose(0, 1)).flatten(0, 1);
}
