using System.Text.Json.Nodes;

namespace PeftGen.Models;

/// <summary>The sizes of a GPT-2.</summary>
public sealed record GPT2Config
{
    /// <summary>How many tokens there are.</summary>
    public required long VocabSize { get; init; }

    /// <summary>The longest sequence: each position has an embedding of its own.</summary>
    public required long Positions { get; init; }

    /// <summary>The width of the residual stream.</summary>
    public required long HiddenSize { get; init; }

    /// <summary>The width inside the feed-forward network.</summary>
    public required long InnerSize { get; init; }

    /// <summary>How many blocks there are.</summary>
    public required long Layers { get; init; }

    /// <summary>How many heads attention has.</summary>
    public required long Heads { get; init; }

    /// <summary>Keeps the layer norms from dividing by zero.</summary>
    public double LayerNormEpsilon { get; init; } = 1e-5;

    /// <summary>The part of embeddings that training drops.</summary>
    public double EmbeddingDropout { get; init; }

    /// <summary>The part of attention weights that training drops.</summary>
    public double AttentionDropout { get; init; }

    /// <summary>The part of each sub-layer's output that training drops.</summary>
    public double ResidualDropout { get; init; }

    /// <summary>Whether the head's weight is the embedding's.</summary>
    public bool TieWordEmbeddings { get; init; } = true;

    /// <summary>Reads a Hugging Face configuration.</summary>
    /// <param name="json">The content of <c>config.json</c>.</param>
    /// <exception cref="Checkpoints.CheckpointException">It is of another model type, a size is absent, or a value is not supported.</exception>
    public static GPT2Config FromJson(JsonObject json)
    {
        var reader = ConfigReader.Of(json, "gpt2");
        reader.Require(reader.Text("activation_function", "gelu_new") == "gelu_new", "activation_function", "\"gelu_new\"");
        reader.Require(reader.Flag("scale_attn_weights", true), "scale_attn_weights", "true");
        reader.Require(!reader.Flag("scale_attn_by_inverse_layer_idx", false), "scale_attn_by_inverse_layer_idx", "false");
        reader.Require(!reader.Flag("add_cross_attention", false), "add_cross_attention", "false");
        var (hidden, heads) = (reader.Count("n_embd"), reader.Count("n_head"));
        reader.Require(hidden % heads == 0, "n_head", $"a divisor of n_embd, {hidden}");
        return new GPT2Config
        {
            VocabSize = reader.Count("vocab_size"),
            Positions = reader.Count("n_positions"),
            HiddenSize = hidden,
            InnerSize = reader.Count("n_inner", 4 * hidden),
            Layers = reader.Count("n_layer"),
            Heads = heads,
            LayerNormEpsilon = reader.Number("layer_norm_epsilon", 1e-5),
            EmbeddingDropout = reader.Number("embd_pdrop", 0.1),
            AttentionDropout = reader.Number("attn_pdrop", 0.1),
            ResidualDropout = reader.Number("resid_pdrop", 0.1),
            TieWordEmbeddings = reader.Flag("tie_word_embeddings", true),
        };
    }
}
