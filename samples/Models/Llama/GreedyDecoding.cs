using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Generation that takes the likeliest token each time.</summary>
public static class GreedyDecoding
{
    /// <summary>Continues each row.</summary>
    /// <param name="forward">The model, with or without an adapter: <c>(ids, mask, cache) => model.forward(ids, mask, cache)</c>.</param>
    /// <param name="input_ids"><c>[batch, tokens]</c>; rows of unequal length are padded on the left.</param>
    /// <param name="attention_mask">0 at padding, <c>[batch, tokens]</c>; null: there is none.</param>
    /// <param name="maxNewTokens">How many tokens at most.</param>
    /// <param name="endTokens">Tokens after which a row ends.</param>
    /// <returns>For each row its new tokens, the end token included.</returns>
    public static long[][] Generate(
        Func<Tensor, Tensor?, KeyValueCache, Tensor> forward, Tensor input_ids, Tensor? attention_mask = null, int maxNewTokens = 64, params IReadOnlyCollection<long> endTokens)
    {
        using var noGrad = no_grad();
        using var scope = NewDisposeScope();
        using var cache = new KeyValueCache();
        var rows = Enumerable.Range(0, (int)input_ids.shape[0]).Select(_ => new List<long>()).ToArray();
        var (ids, mask) = (input_ids, attention_mask);
        for (var step = 0; step < maxNewTokens; step++)
        {
            using var inner = NewDisposeScope();
            var next = forward(ids, mask, cache).select(1, -1).argmax(-1, keepdim: true);
            var tokens = next.cpu().data<long>().ToArray();
            for (var row = 0; row < rows.Length; row++)
                if (!HasEnded(rows[row])) rows[row].Add(tokens[row]);
            if (rows.All(HasEnded)) break;
            ids = next.MoveToOuterDisposeScope();
            if (mask is not null) mask = cat([mask, ones_like(next).to(mask.dtype)], 1).MoveToOuterDisposeScope();
        }
        return [.. rows.Select(row => row.ToArray())];

        bool HasEnded(List<long> row) => row.Count > 0 && endTokens.Contains(row[^1]);
    }
}
