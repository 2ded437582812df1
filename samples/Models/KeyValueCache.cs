using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>
/// The keys and values of the tokens that a decoder has seen, so that the next forward takes only the new ones. It is handed
/// to forward and belongs to one sequence of calls: use one for each generation. For inference only.
/// </summary>
public sealed class KeyValueCache : ITokenCache, IDisposable
{
    private readonly List<(Tensor Keys, Tensor Values, long Length)> _layers = [];

    /// <summary>How many tokens were seen, padding included.</summary>
    public long Length => _layers.Count == 0 ? 0 : _layers[0].Length;

    /// <summary>Adds the new tokens of one layer.</summary>
    /// <param name="layer">The layer's index; the first call of each comes in order.</param>
    /// <param name="keys"><c>[batch, kv_heads, new tokens, head_dim]</c>.</param>
    /// <param name="values">As the keys.</param>
    /// <returns>Views of all keys and values so far, <c>[batch, kv_heads, tokens, head_dim]</c>.</returns>
    /// <exception cref="InvalidOperationException">Gradients are being recorded.</exception>
    /// <exception cref="ArgumentException">Batch, heads or head size are not those of the tokens before.</exception>
    public (Tensor keys, Tensor values) Update(int layer, Tensor keys, Tensor values)
    {
        if (keys.requires_grad || values.requires_grad)
            throw new InvalidOperationException("A KeyValueCache was given keys that require gradients, expected inference: run forward under torch.no_grad(), or train without a cache.");
        if (layer == _layers.Count) _layers.Add((Reserve(keys, 0), Reserve(values, 0), 0));
        var (allKeys, allValues, length) = _layers[layer];
        if (keys.shape[0] != allKeys.shape[0] || keys.shape[1] != allKeys.shape[1] || keys.shape[3] != allKeys.shape[3])
            throw new ArgumentException($"A KeyValueCache of [batch {allKeys.shape[0]}, heads {allKeys.shape[1]}, head size {allKeys.shape[3]}] was given keys of shape [{string.Join(", ", keys.shape)}]. Use one cache for each generation.", nameof(keys));

        var total = length + keys.shape[2];
        (allKeys, allValues) = (Append(allKeys, keys, length), Append(allValues, values, length));
        _layers[layer] = (allKeys, allValues, total);
        return (allKeys.narrow(2, 0, total), allValues.narrow(2, 0, total));
    }

    /// <summary>Whether a layer has keys and values already.</summary>
    /// <param name="layer">The layer's index.</param>
    public bool Has(int layer) => layer < _layers.Count;

    /// <summary>What a layer has.</summary>
    /// <param name="layer">The layer's index.</param>
    /// <returns>Views of its keys and values, <c>[batch, kv_heads, tokens, head_dim]</c>.</returns>
    public (Tensor keys, Tensor values) Of(int layer)
    {
        var (keys, values, length) = _layers[layer];
        return (keys.narrow(2, 0, length), values.narrow(2, 0, length));
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        foreach (var (keys, values, _) in _layers)
        {
            keys.Dispose();
            values.Dispose();
        }
        _layers.Clear();
    }

    private static Tensor Append(Tensor all, Tensor added, long length)
    {
        using var scope = NewDisposeScope();
        var total = length + added.shape[2];
        if (total > all.shape[2])
        {
            // Twice the need: the copying stays below the cost of the tokens themselves.
            var larger = Reserve(added, 2 * total);
            larger.narrow(2, 0, length).copy_(all.narrow(2, 0, length));
            all.Dispose();
            all = larger;
        }
        all.narrow(2, length, added.shape[2]).copy_(added);
        return all;
    }

    private static Tensor Reserve(Tensor like, long tokens) =>
        empty([like.shape[0], like.shape[1], tokens, like.shape[3]], like.dtype, like.device).DetachFromDisposeScope();
}
