using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>CLIP: how well each text fits each image (https://arxiv.org/abs/2103.00020).</summary>
public partial class CLIPModel : nn.Module<Tensor, Tensor, Tensor?, Tensor>
{
    private readonly CLIPTextModel text_model;
    private readonly CLIPVisionModel vision_model;
    private readonly Linear visual_projection;
    private readonly Linear text_projection;
    private readonly Parameter logit_scale;

    public CLIPModel(CLIPConfig config) : base(nameof(CLIPModel))
    {
        text_model = new CLIPTextModel(config.Text);
        vision_model = new CLIPVisionModel(config.Vision);
        visual_projection = nn.Linear(config.Vision.Encoder.HiddenSize, config.ProjectionDim, hasBias: false);
        text_projection = nn.Linear(config.Text.Encoder.HiddenSize, config.ProjectionDim, hasBias: false);
        logit_scale = nn.Parameter(tensor((float)config.LogitScale));
        RegisterComponents();
    }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <exception cref="CheckpointException">The folder holds no CLIP, or its weights do not fit its configuration.</exception>
    public static CLIPModel FromPretrained(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var clip = new CLIPModel(CLIPConfig.FromJson(files.Config)).to(dtype);
        // Files of older versions hold the numbers 0, 1, 2, …
        files.Load(clip, mayBeSurplus: new HashSet<string> { "text_model.embeddings.position_ids", "vision_model.embeddings.position_ids" });
        clip.eval();
        return clip;
    }

    /// <param name="input_ids"><c>[texts, tokens]</c>, each with an end of text.</param>
    /// <param name="pixel_values">Normalised images in the model's element type, <c>[images, channels, height, width]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[texts, tokens]</c>; null: all are real.</param>
    /// <returns>The scaled cosine of each text and each image, <c>[texts, images]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor pixel_values, Tensor? attention_mask = null)
    {
        using var scope = NewDisposeScope();
        var texts = nn.functional.normalize(EmbedTexts(input_ids, attention_mask), dim: -1);
        var images = nn.functional.normalize(EmbedImages(pixel_values), dim: -1);
        return (matmul(texts, images.t()) * logit_scale.exp()).MoveToOuterDisposeScope();
    }

    /// <summary>Places texts among the images.</summary>
    /// <inheritdoc cref="forward" path="/param"/>
    /// <returns><c>[texts, projection]</c>, not normalised.</returns>
    public Tensor EmbedTexts(Tensor input_ids, Tensor? attention_mask = null)
    {
        using var hidden = text_model.forward(input_ids, attention_mask);
        return text_projection.forward(hidden);
    }

    /// <summary>Places images among the texts.</summary>
    /// <inheritdoc cref="forward" path="/param"/>
    /// <returns><c>[images, projection]</c>, not normalised.</returns>
    public Tensor EmbedImages(Tensor pixel_values)
    {
        using var hidden = vision_model.forward(pixel_values);
        return visual_projection.forward(hidden);
    }
}
