using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>ViT with a classifier over the class token (https://arxiv.org/abs/2010.11929).</summary>
public partial class ViTForImageClassification : nn.Module<Tensor, Tensor>
{
    // Files keep the names that the modules had before transformers 5; adapters have those of the modules.
    private static readonly (string module, string file)[] _renamed =
    [
        ("vit.layers.", "vit.encoder.layer."),
        (".attention.q_proj.", ".attention.attention.query."),
        (".attention.k_proj.", ".attention.attention.key."),
        (".attention.v_proj.", ".attention.attention.value."),
        (".attention.o_proj.", ".attention.output.dense."),
        (".mlp.fc1.", ".intermediate.dense."),
        (".mlp.fc2.", ".output.dense."),
    ];

    private readonly ViTModel vit;
    private readonly Linear classifier;

    public ViTForImageClassification(ViTConfig config) : base(nameof(ViTForImageClassification))
    {
        vit = new ViTModel(config);
        classifier = nn.Linear(config.HiddenSize, config.NumLabels);
        RegisterComponents();
    }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors, of a ViT with a classifier.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <exception cref="CheckpointException">The folder holds no such model, or its weights do not fit its configuration.</exception>
    public static ViTForImageClassification FromPretrained(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var model = new ViTForImageClassification(ViTConfig.FromJson(files.Config)).to(dtype);
        files.Load(model, NameInFile);
        model.eval();
        return model;
    }

    /// <summary>What a parameter is called in files, for <see cref="HuggingFaceFolder.Save"/> too.</summary>
    /// <param name="name">Its name in the model, for example <c>vit.layers.0.mlp.fc1.bias</c>.</param>
    public static string NameInFile(string name) => _renamed.Aggregate(name, (n, pair) => n.Replace(pair.module, pair.file, StringComparison.Ordinal));

    /// <param name="pixel_values">Normalised images in the model's element type, <c>[batch, channels, height, width]</c>.</param>
    /// <returns>Logits <c>[batch, classes]</c>.</returns>
    public override Tensor forward(Tensor pixel_values)
    {
        using var scope = NewDisposeScope();
        var hidden_states = vit.forward(pixel_values);
        return classifier.forward(hidden_states.select(1, 0)).MoveToOuterDisposeScope();
    }
}
