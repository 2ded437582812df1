using PeftGen.Training;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Words;

/// <summary>Lines of unequal length as tensors, padded on the left.</summary>
/// <param name="Ids">Tokens, <c>[lines, longest]</c>.</param>
/// <param name="Mask">0 at padding, <c>[lines, longest]</c>.</param>
/// <param name="Labels">The tokens of the answers, ignored elsewhere, <c>[lines, longest]</c>.</param>
internal sealed record WordBatch(Tensor Ids, Tensor Mask, Tensor Labels)
{
    /// <summary>Makes a batch; the caller's DisposeScope owns it.</summary>
    public static WordBatch Of(IReadOnlyList<string> lines)
    {
        var longest = lines.Max(line => line.Length);
        var (ids, mask, labels) = (new long[lines.Count, longest], new long[lines.Count, longest], new long[lines.Count, longest]);
        for (var row = 0; row < lines.Count; row++)
        {
            var line = lines[row].PadLeft(longest, WordVocabulary.Padding);
            var answer = line.IndexOf(WordVocabulary.Answer) + 1;
            for (var column = 0; column < longest; column++)
            {
                ids[row, column] = WordVocabulary.Id(line[column]);
                mask[row, column] = line[column] == WordVocabulary.Padding ? 0 : 1;
                labels[row, column] = column >= answer ? ids[row, column] : CausalLoss.Ignored;
            }
        }
        return new WordBatch(tensor(ids), tensor(mask), tensor(labels));
    }
}
