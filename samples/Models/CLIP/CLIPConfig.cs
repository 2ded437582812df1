using System.Text.Json.Nodes;

namespace PeftGen.Models;

/// <summary>The sizes of a CLIP.</summary>
public sealed record CLIPConfig
{
    /// <summary>The sizes of the text tower.</summary>
    public required CLIPTextConfig Text { get; init; }

    /// <summary>The sizes of the vision tower.</summary>
    public required CLIPVisionConfig Vision { get; init; }

    /// <summary>The width in which texts and images are compared.</summary>
    public long ProjectionDim { get; init; } = 512;

    /// <summary>The logarithm of what the logits are scaled with, before training.</summary>
    public double LogitScale { get; init; } = 2.6592;

    /// <summary>Reads a Hugging Face configuration.</summary>
    /// <param name="json">The content of <c>config.json</c>.</param>
    /// <exception cref="Checkpoints.CheckpointException">It is of another model type, a tower is absent, or a value is not supported.</exception>
    public static CLIPConfig FromJson(JsonObject json)
    {
        var reader = ConfigReader.Of(json, "clip");
        return new CLIPConfig
        {
            Text = CLIPTextConfig.Read(Tower(reader, "text_config")),
            Vision = CLIPVisionConfig.Read(Tower(reader, "vision_config")),
            ProjectionDim = reader.Count("projection_dim", 512),
            LogitScale = reader.Number("logit_scale_init_value", 2.6592),
        };
    }

    private static ConfigReader Tower(ConfigReader reader, string name)
    {
        var tower = reader.Nested(name);
        reader.Require(tower is not null, name, "an object");
        return tower!;
    }
}
