using PeftGen.Training;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Texts;

/// <summary>Texts as tokens of a model: most to train on, some kept for examination.</summary>
internal sealed class TextBatches
{
    /// <summary>The texts that are needed at least: one batch to train on and as many kept.</summary>
    public const int FewestTexts = 2 * BatchSize;

    private const int BatchSize = 4;
    private const int LongestText = 128;
    private const int KeepOneIn = 10;
    private const int MostKept = 32;

    private readonly List<long[]> _training;
    private readonly List<long[]> _kept;
    private readonly Random _random;
    private readonly Queue<long[]> _waiting = [];

    /// <param name="texts">The texts.</param>
    /// <param name="encode">From a text to its tokens.</param>
    /// <param name="end">The token that ends a text; null: there is none.</param>
    /// <param name="seed">Which texts are kept, and the order of the others.</param>
    public TextBatches(IReadOnlyList<string> texts, Func<string, long[]> encode, long? end, int seed)
    {
        _random = new Random(seed);
        var all = texts.Select(text => (long[])[.. encode(text), .. end is { } token ? [token] : Array.Empty<long>()]).Select(ids => ids[..Math.Min(ids.Length, LongestText)]).ToArray();
        _random.Shuffle(all);
        var kept = Math.Clamp(all.Length / KeepOneIn, BatchSize, MostKept);
        (_kept, _training) = ([.. all[..kept]], [.. all[kept..]]);
    }

    /// <summary>How many texts train.</summary>
    public int TrainingCount => _training.Count;

    /// <summary>How many texts are kept.</summary>
    public int KeptCount => _kept.Count;

    /// <summary>The largest token.</summary>
    public long LargestToken => _training.Concat(_kept).Max(ids => ids.Max());

    /// <summary>The next batch to train on; every text comes once before any comes again.</summary>
    public (Tensor Ids, Tensor Labels) Next(Device device)
    {
        var rows = new List<long[]>(BatchSize);
        while (rows.Count < BatchSize)
        {
            if (_waiting.Count == 0)
            {
                var order = _training.ToArray();
                _random.Shuffle(order);
                foreach (var ids in order) _waiting.Enqueue(ids);
            }
            rows.Add(_waiting.Dequeue());
        }
        return Batch(rows, device);
    }

    /// <summary>The mean loss of a kept text.</summary>
    /// <param name="forward">From tokens to logits.</param>
    /// <param name="device">Where the model is.</param>
    public double LossOfKept(Func<Tensor, Tensor> forward, Device device)
    {
        using var noGradients = no_grad();
        return _kept.Average(ids =>
        {
            using var scope = NewDisposeScope();
            var batch = Batch([ids], device);
            return CausalLoss.Of(forward(batch.Ids), batch.Labels).item<float>();
        });
    }

    /// <summary>Padded on the right, where a causal model needs no mask: no real token sees what comes after it.</summary>
    private static (Tensor Ids, Tensor Labels) Batch(IReadOnlyList<long[]> rows, Device device)
    {
        var longest = rows.Max(row => row.Length);
        var (ids, labels) = (new long[rows.Count, longest], new long[rows.Count, longest]);
        for (var row = 0; row < rows.Count; row++)
            for (var column = 0; column < longest; column++)
                (ids[row, column], labels[row, column]) = column < rows[row].Length ? (rows[row][column], rows[row][column]) : (0, CausalLoss.Ignored);
        return (tensor(ids, device: device), tensor(labels, device: device));
    }
}
