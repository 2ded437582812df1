using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>An embedding for the class before the embedded patches, and the embedding of each place added.</summary>
public partial class CLIPVisionEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Parameter class_embedding;
    private readonly Conv2d patch_embedding;
    private readonly Embedding position_embedding;

    private readonly long channels;
    private readonly long imageSize;

    public CLIPVisionEmbeddings(CLIPVisionConfig config) : base(nameof(CLIPVisionEmbeddings))
    {
        channels = config.NumChannels;
        imageSize = config.ImageSize;
        var hidden = config.Encoder.HiddenSize;
        class_embedding = nn.Parameter(empty(hidden).normal_(0, 1 / Math.Sqrt(hidden)));
        patch_embedding = nn.Conv2d(config.NumChannels, hidden, config.PatchSize, stride: config.PatchSize, bias: false);
        position_embedding = nn.Embedding(1 + config.Patches, hidden);
        RegisterComponents();
    }

    /// <param name="pixel_values"><c>[images, channels, height, width]</c>.</param>
    /// <returns><c>[images, 1 + patches, hidden]</c>.</returns>
    public override Tensor forward(Tensor pixel_values)
    {
        if (!pixel_values.shape.AsSpan(1).SequenceEqual([channels, imageSize, imageSize]))
            throw new ArgumentException($"pixel_values is [{string.Join(", ", pixel_values.shape)}], expected [images, {channels}, {imageSize}, {imageSize}]: there are position embeddings for images of this size alone. Resize the images.", nameof(pixel_values));

        using var scope = NewDisposeScope();
        var patches = patch_embedding.forward(pixel_values).flatten(2).transpose(1, 2);
        var tokens = cat([class_embedding.expand(patches.shape[0], 1, -1), patches], 1);
        var positions = arange(tokens.shape[1], ScalarType.Int64, pixel_values.device).unsqueeze(0);
        return (tokens + position_embedding.forward(positions)).MoveToOuterDisposeScope();
    }
}
