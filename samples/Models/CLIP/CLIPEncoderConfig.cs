namespace PeftGen.Models;

/// <summary>The sizes of the layers of either tower of CLIP.</summary>
public sealed record CLIPEncoderConfig
{
    /// <summary>The width of the residual stream.</summary>
    public required long HiddenSize { get; init; }

    /// <summary>The width inside the feed-forward network.</summary>
    public required long IntermediateSize { get; init; }

    /// <summary>How many layers there are.</summary>
    public required long NumHiddenLayers { get; init; }

    /// <summary>How many heads attention has.</summary>
    public required long NumAttentionHeads { get; init; }

    /// <summary>Whether the feed-forward network has the approximation <c>x · σ(1.702 x)</c> of OpenAI's models, not GELU itself.</summary>
    public bool QuickGelu { get; init; } = true;

    /// <summary>Keeps the norms from dividing by zero.</summary>
    public double LayerNormEps { get; init; } = 1e-5;

    /// <summary>The part of attention weights that training drops.</summary>
    public double AttentionDropout { get; init; }

    /// <summary>Reads the configuration of a tower, whose file leaves out what is as in OpenAI's ViT-B/32.</summary>
    internal static CLIPEncoderConfig Read(ConfigReader reader, CLIPEncoderConfig absent)
    {
        var activation = reader.Text("hidden_act", "quick_gelu");
        reader.Require(activation is "quick_gelu" or "gelu", "hidden_act", "\"quick_gelu\" or \"gelu\"");
        var (hidden, heads) = (reader.Count("hidden_size", absent.HiddenSize), reader.Count("num_attention_heads", absent.NumAttentionHeads));
        reader.Require(hidden % heads == 0, "num_attention_heads", $"a divisor of hidden_size, {hidden}");
        return new CLIPEncoderConfig
        {
            HiddenSize = hidden,
            IntermediateSize = reader.Count("intermediate_size", absent.IntermediateSize),
            NumHiddenLayers = reader.Count("num_hidden_layers", absent.NumHiddenLayers),
            NumAttentionHeads = heads,
            QuickGelu = activation == "quick_gelu",
            LayerNormEps = reader.Number("layer_norm_eps", 1e-5),
            AttentionDropout = reader.Number("attention_dropout", 0),
        };
    }
}
