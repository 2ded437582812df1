using System.Text.Json.Nodes;

namespace PeftGen.Models;

/// <summary>The sizes of a T5.</summary>
public sealed record T5Config
{
    /// <summary>How many tokens there are.</summary>
    public required long VocabSize { get; init; }

    /// <summary>The width of the residual stream.</summary>
    public required long ModelSize { get; init; }

    /// <summary>The size of a head; all heads together may be wider or narrower than the stream.</summary>
    public required long HeadSize { get; init; }

    /// <summary>The width inside the feed-forward network.</summary>
    public required long InnerSize { get; init; }

    /// <summary>How many blocks the encoder has.</summary>
    public required long EncoderLayers { get; init; }

    /// <summary>How many blocks the decoder has.</summary>
    public required long DecoderLayers { get; init; }

    /// <summary>How many heads attention has.</summary>
    public required long Heads { get; init; }

    /// <summary>How many distances have a bias of their own.</summary>
    public long Buckets { get; init; } = 32;

    /// <summary>The distance from which on all have the same bias.</summary>
    public long MaxDistance { get; init; } = 128;

    /// <summary>Keeps the norms from dividing by zero.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-6;

    /// <summary>The part that training drops.</summary>
    public double Dropout { get; init; }

    /// <summary>Whether the feed-forward network has a gate: T5 1.1 and later.</summary>
    public bool IsGated { get; init; }

    /// <summary>Whether its activation is GELU in GPT-2's approximation, and not ReLU.</summary>
    public bool IsGelu { get; init; }

    /// <summary>Whether the head's weight is the embedding's.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Whether the decoder's output is divided by √<see cref="ModelSize"/> before the head.</summary>
    public bool ScaleDecoderOutputs { get; init; }

    /// <summary>The token that the decoder begins with.</summary>
    public long DecoderStartToken { get; init; }

    /// <summary>The token of padding.</summary>
    public long PadToken { get; init; }

    /// <summary>Reads a Hugging Face configuration.</summary>
    /// <param name="json">The content of <c>config.json</c>.</param>
    /// <exception cref="Checkpoints.CheckpointException">It is of another model type, a size is absent, or a value is not supported.</exception>
    public static T5Config FromJson(JsonObject json)
    {
        var reader = ConfigReader.Of(json, "t5");
        var network = reader.Text("feed_forward_proj", "relu")!;
        reader.Require(network is "relu" or "gated-relu" or "gelu_new" or "gated-gelu" or "gated-gelu_new", "feed_forward_proj", "\"relu\", \"gelu_new\", \"gated-relu\" or \"gated-gelu\"");
        var layers = reader.Count("num_layers");
        var tied = reader.Flag("tie_word_embeddings", true);
        var padding = (long)reader.Number("pad_token_id", 0);
        return new T5Config
        {
            VocabSize = reader.Count("vocab_size"),
            ModelSize = reader.Count("d_model"),
            HeadSize = reader.Count("d_kv"),
            InnerSize = reader.Count("d_ff"),
            EncoderLayers = layers,
            DecoderLayers = reader.Count("num_decoder_layers", layers),
            Heads = reader.Count("num_heads"),
            Buckets = reader.Count("relative_attention_num_buckets", 32),
            MaxDistance = reader.Count("relative_attention_max_distance", 128),
            LayerNormEpsilon = reader.Number("layer_norm_epsilon", 1e-6),
            Dropout = reader.Number("dropout_rate", 0.1),
            IsGated = network.StartsWith("gated-", StringComparison.Ordinal),
            IsGelu = network.Contains("gelu", StringComparison.Ordinal),
            TieWordEmbeddings = tied,
            // The first T5s share the embedding and say nothing; files that say it mean it.
            ScaleDecoderOutputs = reader.Flag("scale_decoder_outputs", tied),
            DecoderStartToken = (long)reader.Number("decoder_start_token_id", padding),
            PadToken = padding,
        };
    }
}
