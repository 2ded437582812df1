namespace PeftGen.Benchmarks.Serving;

/// <summary>What is measured; the names and defaults are those of the reference's side.</summary>
internal sealed record ServeOptions
{
    public required string Host { get; init; }
    public string Work { get; init; } = "train";
    public string Method { get; init; } = "lora";
    public string Targets { get; init; } = "all";
    public int Rank { get; init; } = 8;
    public double Dropout { get; init; }
    public int Batch { get; init; } = 4;
    public int Tokens { get; init; } = 128;
    public int NewTokens { get; init; } = 16;

    /// <summary>How many adapters there are: row b of the batch goes through adapter b mod this.</summary>
    public int Adapters { get; init; } = 1;

    /// <summary>A folder with saved adapters 0, 1, …; null: new ones.</summary>
    public string? AdaptersFrom { get; init; }

    public bool Merged { get; init; }
    public bool Checkpoint { get; init; }
    public string Dtype { get; init; } = "float32";
    public int Threads { get; init; } = Environment.ProcessorCount;
}
