using System.Text.Json.Nodes;

namespace PeftGen.Models;

/// <summary>The sizes of a BERT.</summary>
public sealed record BertConfig
{
    /// <summary>How many tokens there are.</summary>
    public required long VocabSize { get; init; }

    /// <summary>The width of the residual stream.</summary>
    public required long HiddenSize { get; init; }

    /// <summary>The width inside the feed-forward network.</summary>
    public required long IntermediateSize { get; init; }

    /// <summary>How many layers there are.</summary>
    public required long NumHiddenLayers { get; init; }

    /// <summary>How many heads attention has.</summary>
    public required long NumAttentionHeads { get; init; }

    /// <summary>The longest sequence.</summary>
    public long MaxPositionEmbeddings { get; init; } = 512;

    /// <summary>How many kinds of segments there are.</summary>
    public long TypeVocabSize { get; init; } = 2;

    /// <summary>Keeps the norms from dividing by zero.</summary>
    public double LayerNormEps { get; init; } = 1e-12;

    /// <summary>The part of hidden values that training drops.</summary>
    public double HiddenDropout { get; init; } = 0.1;

    /// <summary>The part of attention weights that training drops.</summary>
    public double AttentionDropout { get; init; } = 0.1;

    /// <summary>The part of pooled values that training drops before the classifier.</summary>
    public double ClassifierDropout { get; init; } = 0.1;

    /// <summary>How many classes the classifier tells apart.</summary>
    public long NumLabels { get; init; } = 2;

    /// <summary>Whether the head over tokens has the embedding's weight.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Reads a Hugging Face configuration.</summary>
    /// <param name="json">The content of <c>config.json</c>.</param>
    /// <exception cref="Checkpoints.CheckpointException">It is of another model type, a size is absent, or a value is not supported.</exception>
    public static BertConfig FromJson(JsonObject json)
    {
        var reader = ConfigReader.Of(json, "bert");
        reader.Require(reader.Text("hidden_act", "gelu") == "gelu", "hidden_act", "\"gelu\"");
        reader.Require(reader.Text("position_embedding_type", "absolute") == "absolute", "position_embedding_type", "\"absolute\"");
        reader.Require(!reader.Flag("is_decoder", false), "is_decoder", "false");
        var (hidden, heads) = (reader.Count("hidden_size"), reader.Count("num_attention_heads"));
        reader.Require(hidden % heads == 0, "num_attention_heads", $"a divisor of hidden_size, {hidden}");
        var dropout = reader.Number("hidden_dropout_prob", 0.1);
        return new BertConfig
        {
            VocabSize = reader.Count("vocab_size"),
            HiddenSize = hidden,
            IntermediateSize = reader.Count("intermediate_size"),
            NumHiddenLayers = reader.Count("num_hidden_layers"),
            NumAttentionHeads = heads,
            MaxPositionEmbeddings = reader.Count("max_position_embeddings", 512),
            TypeVocabSize = reader.Count("type_vocab_size", 2),
            LayerNormEps = reader.Number("layer_norm_eps", 1e-12),
            HiddenDropout = dropout,
            AttentionDropout = reader.Number("attention_probs_dropout_prob", 0.1),
            ClassifierDropout = reader.Number("classifier_dropout", dropout),
            TieWordEmbeddings = reader.Flag("tie_word_embeddings", true),
            NumLabels = reader.Entries("id2label") ?? reader.Count("num_labels", 2),
        };
    }
}
