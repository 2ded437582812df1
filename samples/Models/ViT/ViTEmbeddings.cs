using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>A token for the class before the embedded patches, and the embedding of each place added.</summary>
public partial class ViTEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Parameter cls_token;
    private readonly Parameter position_embeddings;
    private readonly ViTPatchEmbeddings patch_embeddings;
    private readonly Dropout dropout;

    public ViTEmbeddings(ViTConfig config) : base(nameof(ViTEmbeddings))
    {
        cls_token = nn.Parameter(empty(1, 1, config.HiddenSize).normal_(0, 0.02));
        position_embeddings = nn.Parameter(empty(1, 1 + config.Patches, config.HiddenSize).normal_(0, 0.02));
        patch_embeddings = new ViTPatchEmbeddings(config);
        dropout = nn.Dropout(config.HiddenDropout);
        RegisterComponents();
    }

    /// <param name="pixel_values"><c>[batch, channels, height, width]</c>.</param>
    /// <returns><c>[batch, 1 + patches, hidden]</c>.</returns>
    public override Tensor forward(Tensor pixel_values)
    {
        using var scope = NewDisposeScope();
        var patches = patch_embeddings.forward(pixel_values);
        var tokens = cat([cls_token.expand(patches.shape[0], -1, -1), patches], 1);
        return dropout.forward(tokens + position_embeddings).MoveToOuterDisposeScope();
    }
}
