using PeftGen.QuickStart.Texts;
using PeftGen.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Tests;

public sealed class TextBatchesTests
{
    [Fact]
    public void Kept_texts_never_train_and_every_other_one_does()
    {
        using var scope = NewDisposeScope();
        var batches = new TextBatches([.. Enumerable.Range(0, 50).Select(i => $"{i}")], text => [int.Parse(text, null), 99], end: null, seed: 1);
        var kept = new HashSet<long>();
        batches.LossOfKept(
            ids =>
            {
                kept.Add(ids[0, 0].item<long>());
                return zeros([1, 2, 100]);
            },
            CPU);
        var trained = Enumerable.Range(0, 12).SelectMany(_ => batches.Next(CPU).Ids.select(1, 0).data<long>().ToArray()).ToList();
        Assert.Equal((45, 5), (batches.TrainingCount, batches.KeptCount));
        Assert.Equal(5, kept.Count);
        Assert.Empty(kept.Intersect(trained));
        Assert.Equal(45, trained.Distinct().Count());
        Assert.Equal(45, trained.Take(45).Distinct().Count());
    }

    [Fact]
    public void Shorter_texts_are_padded_with_ignored_labels_and_ended()
    {
        using var scope = NewDisposeScope();
        var batches = new TextBatches(["11", "11", "11", "11", "11", "22222", "22222", "22222", "22222"], text => [.. text.Select(c => (long)c - '0')], end: 7, seed: 0);
        for (var step = 0; step < 4; step++)
        {
            var (ids, labels) = batches.Next(CPU);
            for (var row = 0; row < 4; row++)
            {
                var (tokens, wanted) = (ids[row].data<long>().ToArray(), labels[row].data<long>().ToArray());
                var length = tokens[0] == 1 ? 3 : 6;
                Assert.Equal(7, tokens[length - 1]);
                Assert.Equal(tokens[..length], wanted[..length]);
                Assert.All(wanted[length..], label => Assert.Equal(CausalLoss.Ignored, label));
            }
        }
    }

    [Fact]
    public void A_text_of_one_token_is_refused() =>
        Assert.Contains("\"b\" is one token", Assert.Throws<QuickStartException>(() => new TextBatches(["aa", "b"], text => [.. text.Select(c => (long)c)], end: null, seed: 0)).Message, StringComparison.Ordinal);
}
