namespace PeftGen.FewShot;

/// <summary>What is to be compared.</summary>
/// <param name="Model">The folder of a BERT with its tokenizer.</param>
/// <param name="Data">The file of rated sentences.</param>
/// <param name="OutputFolder">Where results, table and picture go.</param>
internal sealed record CompareOptions(string Model, string Data, string OutputFolder)
{
    /// <summary>Sentences to test on instead of a part of <see cref="Data"/>; null: that part.</summary>
    public string? TestData { get; init; }

    /// <summary>How many sentences of <see cref="Data"/> are kept for the test.</summary>
    public required int TestSentences { get; init; }

    /// <summary>The methods.</summary>
    public required IReadOnlyList<FineTuningMethod> Methods { get; init; }

    /// <summary>The sizes of the training sets.</summary>
    public required IReadOnlyList<int> Sizes { get; init; }

    /// <summary>The seeds; each has training sets of its own.</summary>
    public required IReadOnlyList<int> Seeds { get; init; }

    /// <summary>A file of the output folder.</summary>
    public string File(string name) => Path.Combine(OutputFolder, name);
}
