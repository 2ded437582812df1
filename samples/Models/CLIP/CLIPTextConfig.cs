namespace PeftGen.Models;

/// <summary>The sizes of CLIP's text tower.</summary>
public sealed record CLIPTextConfig
{
    /// <summary>The sizes of the layers.</summary>
    public required CLIPEncoderConfig Encoder { get; init; }

    /// <summary>How many tokens there are.</summary>
    public long VocabSize { get; init; } = 49408;

    /// <summary>The longest text.</summary>
    public long MaxPositionEmbeddings { get; init; } = 77;

    /// <summary>The token that ends a text, whose hidden state stands for the text.</summary>
    public long EosTokenId { get; init; } = 49407;

    internal static CLIPTextConfig Read(ConfigReader reader) => new()
    {
        Encoder = CLIPEncoderConfig.Read(reader, new CLIPEncoderConfig { HiddenSize = 512, IntermediateSize = 2048, NumHiddenLayers = 12, NumAttentionHeads = 8 }),
        VocabSize = reader.Count("vocab_size", 49408),
        MaxPositionEmbeddings = reader.Count("max_position_embeddings", 77),
        EosTokenId = reader.Count("eos_token_id", 49407),
    };
}
