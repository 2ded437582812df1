using System.Text.Json.Nodes;

namespace PeftGen.Models;

/// <summary>The sizes of a ViT.</summary>
public sealed record ViTConfig
{
    /// <summary>The width of the residual stream.</summary>
    public required long HiddenSize { get; init; }

    /// <summary>The width inside the feed-forward network.</summary>
    public required long IntermediateSize { get; init; }

    /// <summary>How many layers there are.</summary>
    public required long NumHiddenLayers { get; init; }

    /// <summary>How many heads attention has.</summary>
    public required long NumAttentionHeads { get; init; }

    /// <summary>The height and width of an image, in pixels.</summary>
    public long ImageSize { get; init; } = 224;

    /// <summary>The height and width of a patch, in pixels.</summary>
    public long PatchSize { get; init; } = 16;

    /// <summary>How many colours a pixel has.</summary>
    public long NumChannels { get; init; } = 3;

    /// <summary>Whether queries, keys and values have a bias.</summary>
    public bool QkvBias { get; init; } = true;

    /// <summary>Keeps the norms from dividing by zero.</summary>
    public double LayerNormEps { get; init; } = 1e-12;

    /// <summary>The part of hidden values that training drops.</summary>
    public double HiddenDropout { get; init; }

    /// <summary>The part of attention weights that training drops.</summary>
    public double AttentionDropout { get; init; }

    /// <summary>How many classes the classifier tells apart.</summary>
    public long NumLabels { get; init; } = 2;

    /// <summary>How many patches an image has.</summary>
    public long Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    /// <summary>Reads a Hugging Face configuration.</summary>
    /// <param name="json">The content of <c>config.json</c>.</param>
    /// <exception cref="Checkpoints.CheckpointException">It is of another model type, a size is absent, or a value is not supported.</exception>
    public static ViTConfig FromJson(JsonObject json)
    {
        var reader = ConfigReader.Of(json, "vit");
        reader.Require(reader.Text("hidden_act", "gelu") == "gelu", "hidden_act", "\"gelu\"");
        var (hidden, heads) = (reader.Count("hidden_size"), reader.Count("num_attention_heads"));
        reader.Require(hidden % heads == 0, "num_attention_heads", $"a divisor of hidden_size, {hidden}");
        var (image, patch) = (reader.Count("image_size", 224), reader.Count("patch_size", 16));
        reader.Require(patch <= image, "patch_size", $"at most image_size, {image}");
        return new ViTConfig
        {
            HiddenSize = hidden,
            IntermediateSize = reader.Count("intermediate_size"),
            NumHiddenLayers = reader.Count("num_hidden_layers"),
            NumAttentionHeads = heads,
            ImageSize = image,
            PatchSize = patch,
            NumChannels = reader.Count("num_channels", 3),
            QkvBias = reader.Flag("qkv_bias", true),
            LayerNormEps = reader.Number("layer_norm_eps", 1e-12),
            HiddenDropout = reader.Number("hidden_dropout_prob", 0),
            AttentionDropout = reader.Number("attention_probs_dropout_prob", 0),
            NumLabels = reader.Entries("id2label") ?? reader.Count("num_labels", 2),
        };
    }
}
