using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Cuts an image into patches and projects each: a convolution whose stride is its kernel's size.</summary>
public partial class ViTPatchEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d projection;

    private readonly long channels;
    private readonly long imageSize;

    public ViTPatchEmbeddings(ViTConfig config) : base(nameof(ViTPatchEmbeddings))
    {
        channels = config.NumChannels;
        imageSize = config.ImageSize;
        projection = nn.Conv2d(config.NumChannels, config.HiddenSize, config.PatchSize, stride: config.PatchSize);
        RegisterComponents();
    }

    /// <param name="pixel_values"><c>[batch, channels, height, width]</c>.</param>
    /// <returns><c>[batch, patches, hidden]</c>, row by row of the image.</returns>
    public override Tensor forward(Tensor pixel_values)
    {
        if (!pixel_values.shape.AsSpan(1).SequenceEqual([channels, imageSize, imageSize]))
            throw new ArgumentException($"pixel_values is [{string.Join(", ", pixel_values.shape)}], expected [batch, {channels}, {imageSize}, {imageSize}]: there are position embeddings for images of this size alone. Resize the images.", nameof(pixel_values));

        using var scope = NewDisposeScope();
        return projection.forward(pixel_values).flatten(2).transpose(1, 2).MoveToOuterDisposeScope();
    }
}
