namespace PeftGen.Generation;

/// <summary>How tokens are chosen and when a row ends.</summary>
public sealed record GenerationOptions
{
    /// <summary>The most tokens for a row.</summary>
    public int MaxNewTokens { get; init; } = 64;

    /// <summary>What logits are divided by before a token is drawn; 0: the likeliest token is taken, and nothing is drawn.</summary>
    public double Temperature { get; init; }

    /// <summary>Draws among the so many likeliest tokens; null: among all.</summary>
    public int? TopK { get; init; }

    /// <summary>Draws among the fewest likeliest tokens whose probabilities come to this, at least one (https://arxiv.org/abs/1904.09751); 1: among all.</summary>
    public double TopP { get; init; } = 1;

    /// <summary>
    /// What the logits of tokens that a row has already, prompt included and padding not, are divided by where they are positive and multiplied by where they are not
    /// (https://arxiv.org/abs/1909.05858); 1: nothing.
    /// </summary>
    public double RepetitionPenalty { get; init; } = 1;

    /// <summary>Tokens that end a row. They belong to what is returned.</summary>
    public IReadOnlyCollection<long> EndTokens { get; init; } = [];

    /// <summary>Sequences of tokens that end a row. They belong to what is returned.</summary>
    public IReadOnlyCollection<IReadOnlyList<long>> StopSequences { get; init; } = [];

    /// <summary>Asked after each token, with the row and its new tokens: true ends the row. It can decode them and look for a text.</summary>
    public Func<int, IReadOnlyList<long>, bool>? StopWhen { get; init; }

    /// <summary>What is drawn. Each row draws from a stream of its own, so what it gets does not depend on the rows beside it.</summary>
    public ulong Seed { get; init; }

    /// <summary>What rows that have ended are fed while others go on.</summary>
    public long PadToken { get; init; }

    /// <summary>Whether the step is given all tokens each time, since it has no cache.</summary>
    public bool FeedsAllTokens { get; init; }

    /// <summary>Throws if a value makes no sense.</summary>
    internal void Check()
    {
        Require(MaxNewTokens >= 1, nameof(MaxNewTokens), MaxNewTokens, "at least 1");
        Require(Temperature >= 0 && double.IsFinite(Temperature), nameof(Temperature), Temperature, "0, which takes the likeliest token, or a positive number");
        Require(TopK is null or >= 1, nameof(TopK), TopK, "at least 1, or null for all tokens");
        Require(TopP is > 0 and <= 1, nameof(TopP), TopP, "more than 0 and at most 1");
        Require(RepetitionPenalty > 0 && double.IsFinite(RepetitionPenalty), nameof(RepetitionPenalty), RepetitionPenalty, "a positive number; 1 does nothing");
        Require(StopSequences.All(s => s.Count > 0), nameof(StopSequences), "an empty sequence", "sequences of at least one token");
        if (Temperature == 0 && (TopK is not null || TopP < 1))
            throw new ArgumentException($"{(TopK is null ? nameof(TopP) : nameof(TopK))} is set and {nameof(Temperature)} is 0, which takes the likeliest token whatever it is. Set {nameof(Temperature)} to 1 to draw.", nameof(Temperature));
    }

    private static void Require(bool holds, string name, object? found, string expected)
    {
        if (!holds)
            throw new ArgumentOutOfRangeException(name, found, $"{name} is {Convert.ToString(found, System.Globalization.CultureInfo.InvariantCulture)}, expected {expected}.");
    }
}
