namespace PeftGen.FewShot.Data;

/// <summary>Sentences to draw training sets from, and others, the same for all runs, that are asked for at the end of a run and never before.</summary>
internal sealed class SentenceSplit
{
    private const int SplitSeed = 20140601;
    private readonly LabelledTokens[] _pool;

    private SentenceSplit(LabelledTokens[] pool, LabelledTokens[] test) => (_pool, Test) = (pool, test);

    /// <summary>What is asked for.</summary>
    public IReadOnlyList<LabelledTokens> Test { get; }

    /// <summary>How many sentences there are to draw from.</summary>
    public int PoolSize => _pool.Length;

    /// <summary>The part of the larger class among the test sentences: what an answer without a look comes to.</summary>
    public double Majority => Test.Average(sentence => sentence.Label) is var positive ? Math.Max(positive, 1 - positive) : 0;

    /// <summary>Splits one file's sentences.</summary>
    /// <param name="sentences">The sentences.</param>
    /// <param name="testSize">How many are kept for the test.</param>
    /// <param name="encode">From a sentence to tokens.</param>
    /// <exception cref="FewShotException">There are not more sentences than the test takes.</exception>
    public static SentenceSplit Of(IReadOnlyList<RatedSentence> sentences, int testSize, Func<string, long[]> encode)
    {
        if (sentences.Count <= testSize)
            throw new FewShotException($"There are {sentences.Count} different sentences rated {RatedSentence.SmallestRating} or more, expected more than the {testSize} of the test. Add sentences, or lower --test-sentences.");
        // Files come sorted by label.
        var order = sentences.ToArray();
        new Random(SplitSeed).Shuffle(order);
        return new SentenceSplit(Encode(order[testSize..], encode), Encode(order[..testSize], encode));
    }

    /// <summary>Takes training and test sentences from two files; what is in both is left to the test.</summary>
    /// <param name="sentences">The sentences to draw from.</param>
    /// <param name="test">The test's.</param>
    /// <param name="encode">From a sentence to tokens.</param>
    public static SentenceSplit Of(IReadOnlyList<RatedSentence> sentences, IReadOnlyList<RatedSentence> test, Func<string, long[]> encode)
    {
        if (test.Count == 0) throw new FewShotException($"The test's file has no sentence rated {RatedSentence.SmallestRating} or more, expected some. Check the path given with --test-data.");
        var kept = test.Select(sentence => sentence.Text).ToHashSet(StringComparer.OrdinalIgnoreCase);
        return new SentenceSplit(Encode(sentences.Where(sentence => !kept.Contains(sentence.Text)), encode), Encode(test, encode));
    }

    /// <summary>A training set. Of one seed, a smaller one is part of a larger one.</summary>
    /// <param name="size">How many sentences.</param>
    /// <param name="seed">Which.</param>
    /// <exception cref="FewShotException">There are fewer.</exception>
    public LabelledTokens[] Draw(int size, int seed)
    {
        if (size > _pool.Length)
            throw new FewShotException($"--k is {size}, but {_pool.Length} sentences are left to train on. Give a smaller number, or lower --test-sentences.");
        var order = _pool.ToArray();
        new Random(seed).Shuffle(order);
        return order[..size];
    }

    private static LabelledTokens[] Encode(IEnumerable<RatedSentence> sentences, Func<string, long[]> encode) =>
        [.. sentences.Select(sentence => new LabelledTokens(encode(sentence.Text), sentence.IsPositive ? 1 : 0))];
}
