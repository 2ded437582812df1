using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The vision tower: an encoder, and of its outputs the one at the class embedding.</summary>
public partial class CLIPVisionModel : nn.Module<Tensor, Tensor>
{
    private readonly CLIPVisionEmbeddings embeddings;
    // The name in the files.
    private readonly LayerNorm pre_layrnorm;
    private readonly CLIPEncoder encoder;
    private readonly LayerNorm post_layernorm;

    public CLIPVisionModel(CLIPVisionConfig config) : base(nameof(CLIPVisionModel))
    {
        embeddings = new CLIPVisionEmbeddings(config);
        pre_layrnorm = nn.LayerNorm(config.Encoder.HiddenSize, config.Encoder.LayerNormEps);
        encoder = new CLIPEncoder(config.Encoder);
        post_layernorm = nn.LayerNorm(config.Encoder.HiddenSize, config.Encoder.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="pixel_values"><c>[images, channels, height, width]</c>.</param>
    /// <returns>What stands for each image, <c>[images, hidden]</c>.</returns>
    public override Tensor forward(Tensor pixel_values)
    {
        using var scope = NewDisposeScope();
        var hidden_states = pre_layrnorm.forward(embeddings.forward(pixel_values));
        hidden_states = encoder.forward(hidden_states, null);
        return post_layernorm.forward(hidden_states.select(1, 0)).MoveToOuterDisposeScope();
    }
}
