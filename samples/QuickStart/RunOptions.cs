namespace PeftGen.QuickStart;

/// <summary>What a run has been asked for.</summary>
/// <param name="Method">How to fine-tune.</param>
/// <param name="Seed">Of everything random.</param>
/// <param name="OutputFolder">Where files go.</param>
internal sealed record RunOptions(FineTuningMethod Method, int Seed, string OutputFolder)
{
    /// <summary>How many steps; null: the method's own number.</summary>
    public int? Steps { get; init; }

    /// <summary>The rank; null: the declared one.</summary>
    public int? Rank { get; init; }

    /// <summary>Where the adapter goes.</summary>
    public string AdapterFolder => Path.Combine(OutputFolder, "adapter");

    /// <summary>Where the picture of the losses goes.</summary>
    public string LossCurveFile => Path.Combine(OutputFolder, "loss.png");
}
