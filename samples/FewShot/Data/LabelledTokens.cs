using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.FewShot.Data;

/// <summary>A sentence as a model takes it.</summary>
/// <param name="Ids">Its tokens.</param>
/// <param name="Label">1 if it is positive, else 0.</param>
internal sealed record LabelledTokens(long[] Ids, long Label)
{
    /// <summary>One epoch's batches, at random. (Sentences of about the same length together would need less padding, but a small set would have the same batches in every epoch, and learn less from them.)</summary>
    /// <param name="sentences">What to train on.</param>
    /// <param name="size">How many a batch has; the last may have fewer.</param>
    /// <param name="random">The order.</param>
    public static IReadOnlyList<LabelledTokens[]> Epoch(IReadOnlyList<LabelledTokens> sentences, int size, Random random)
    {
        var order = sentences.ToArray();
        random.Shuffle(order);
        return [.. order.Chunk(size)];
    }

    /// <summary>The tensors of a batch, padded on the right.</summary>
    /// <param name="sentences">The batch.</param>
    /// <param name="padding">The token to fill up with.</param>
    /// <param name="device">Where the tensors go.</param>
    /// <returns>Ids and mask <c>[batch, tokens]</c>, labels <c>[batch]</c>.</returns>
    public static (Tensor Ids, Tensor Mask, Tensor Labels) Batch(IReadOnlyList<LabelledTokens> sentences, long padding, Device device)
    {
        var longest = sentences.Max(sentence => sentence.Ids.Length);
        var (ids, mask) = (new long[sentences.Count, longest], new long[sentences.Count, longest]);
        for (var row = 0; row < sentences.Count; row++)
        {
            var own = sentences[row].Ids;
            for (var column = 0; column < longest; column++)
                (ids[row, column], mask[row, column]) = column < own.Length ? (own[column], 1) : (padding, 0);
        }
        return (tensor(ids, device: device), tensor(mask, device: device), tensor(sentences.Select(sentence => sentence.Label).ToArray(), device: device));
    }
}
