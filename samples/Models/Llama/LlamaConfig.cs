using System.Text.Json.Nodes;

namespace PeftGen.Models;

/// <summary>The sizes of a Llama.</summary>
public sealed record LlamaConfig
{
    /// <summary>How many tokens there are.</summary>
    public required long VocabSize { get; init; }

    /// <summary>The width of the residual stream.</summary>
    public required long HiddenSize { get; init; }

    /// <summary>The width inside the feed-forward network.</summary>
    public required long IntermediateSize { get; init; }

    /// <summary>How many decoder layers there are.</summary>
    public required long NumHiddenLayers { get; init; }

    /// <summary>How many heads ask.</summary>
    public required long NumAttentionHeads { get; init; }

    /// <summary>How many heads answer; each is shared by <c>NumAttentionHeads / NumKeyValueHeads</c> asking ones.</summary>
    public required long NumKeyValueHeads { get; init; }

    /// <summary>The width of a head.</summary>
    public required long HeadDim { get; init; }

    /// <summary>Keeps the RMS norms from dividing by zero.</summary>
    public double RmsNormEps { get; init; } = 1e-6;

    /// <summary>How positions turn queries and keys.</summary>
    public RopeParameters Rope { get; init; } = new();

    /// <summary>Whether the four projections of attention have biases.</summary>
    public bool AttentionBias { get; init; }

    /// <summary>Whether the three projections of the feed-forward network have biases.</summary>
    public bool MlpBias { get; init; }

    /// <summary>The part of attention weights that training drops.</summary>
    public double AttentionDropout { get; init; }

    /// <summary>Whether the head's weight is the embedding's.</summary>
    public bool TieWordEmbeddings { get; init; }

    /// <summary>Reads a Hugging Face configuration.</summary>
    /// <param name="json">The content of <c>config.json</c>.</param>
    /// <exception cref="Checkpoints.CheckpointException">It is of another model type, a size is absent, or a value is not supported.</exception>
    public static LlamaConfig FromJson(JsonObject json)
    {
        var reader = ConfigReader.Of(json, "llama");
        reader.Require(reader.Text("hidden_act", "silu") == "silu", "hidden_act", "\"silu\"");
        var (hidden, heads) = (reader.Count("hidden_size"), reader.Count("num_attention_heads"));
        var keyValueHeads = reader.Count("num_key_value_heads", heads);
        reader.Require(heads % keyValueHeads == 0, "num_key_value_heads", $"a divisor of num_attention_heads, {heads}");
        var headDim = reader.Count("head_dim", hidden / heads);
        reader.Require(headDim % 2 == 0, "head_dim", "an even number, since positions turn pairs");
        return new LlamaConfig
        {
            VocabSize = reader.Count("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = reader.Count("intermediate_size"),
            NumHiddenLayers = reader.Count("num_hidden_layers"),
            NumAttentionHeads = heads,
            NumKeyValueHeads = keyValueHeads,
            HeadDim = headDim,
            RmsNormEps = reader.Number("rms_norm_eps", 1e-6),
            Rope = RopeParameters.Read(reader),
            AttentionBias = reader.Flag("attention_bias", false),
            MlpBias = reader.Flag("mlp_bias", false),
            AttentionDropout = reader.Number("attention_dropout", 0),
            TieWordEmbeddings = reader.Flag("tie_word_embeddings", false),
        };
    }
}
