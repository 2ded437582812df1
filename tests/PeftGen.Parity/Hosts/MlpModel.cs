using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>An embedding and linear layers with a norm between them; the logits are the mean over tokens.</summary>
public partial class MlpModel : nn.Module<Tensor, Tensor>
{
    private readonly Embedding embed = nn.Embedding(20, 10);
    private readonly Linear fc1 = nn.Linear(10, 24);
    private readonly LayerNorm norm = nn.LayerNorm(24);
    private readonly Linear fc2 = nn.Linear(24, 14);
    private readonly Linear head = nn.Linear(14, 5);

    public MlpModel() : base(nameof(MlpModel)) => RegisterComponents();

    public static MlpModel FromPretrained(string folder)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var model = new MlpModel();
        files.Load(model);
        return model;
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <returns>Logits <c>[batch, classes]</c>.</returns>
    public override Tensor forward(Tensor input_ids)
    {
        using var scope = NewDisposeScope();
        var hidden = norm.forward(fc1.forward(embed.forward(input_ids)).relu());
        return head.forward(fc2.forward(hidden).relu()).mean([1]).MoveToOuterDisposeScope();
    }
}
