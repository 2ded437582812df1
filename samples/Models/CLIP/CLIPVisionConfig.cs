namespace PeftGen.Models;

/// <summary>The sizes of CLIP's vision tower.</summary>
public sealed record CLIPVisionConfig
{
    /// <summary>The sizes of the layers.</summary>
    public required CLIPEncoderConfig Encoder { get; init; }

    /// <summary>The height and width of an image, in pixels.</summary>
    public long ImageSize { get; init; } = 224;

    /// <summary>The height and width of a patch, in pixels.</summary>
    public long PatchSize { get; init; } = 32;

    /// <summary>How many colours a pixel has.</summary>
    public long NumChannels { get; init; } = 3;

    /// <summary>How many patches an image has.</summary>
    public long Patches => ImageSize / PatchSize * (ImageSize / PatchSize);

    internal static CLIPVisionConfig Read(ConfigReader reader)
    {
        var (image, patch) = (reader.Count("image_size", 224), reader.Count("patch_size", 32));
        reader.Require(patch <= image, "patch_size", $"at most image_size, {image}");
        return new CLIPVisionConfig
        {
            Encoder = CLIPEncoderConfig.Read(reader, new CLIPEncoderConfig { HiddenSize = 768, IntermediateSize = 3072, NumHiddenLayers = 12, NumAttentionHeads = 12 }),
            ImageSize = image,
            PatchSize = patch,
            NumChannels = reader.Count("num_channels", 3),
        };
    }
}
