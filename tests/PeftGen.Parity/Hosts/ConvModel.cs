using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Two convolutions, the second dilated, and a head over the mean of the image.</summary>
public partial class ConvModel : nn.Module<Tensor, Tensor>
{
    private readonly Conv2d conv1 = nn.Conv2d(3, 8, 3, stride: 2, padding: 1);
    private readonly Conv2d conv2 = nn.Conv2d(8, 12, 3, padding: 2, dilation: 2);
    private readonly Linear head = nn.Linear(12, 5);

    public ConvModel() : base(nameof(ConvModel)) => RegisterComponents();

    public static ConvModel FromPretrained(string folder)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var model = new ConvModel();
        files.Load(model);
        return model;
    }

    /// <param name="pixel_values"><c>[batch, channels, height, width]</c>.</param>
    /// <returns>Logits <c>[batch, classes]</c>.</returns>
    public override Tensor forward(Tensor pixel_values)
    {
        using var scope = NewDisposeScope();
        var features = conv2.forward(conv1.forward(pixel_values).relu()).relu();
        return head.forward(features.mean([2, 3])).MoveToOuterDisposeScope();
    }
}
