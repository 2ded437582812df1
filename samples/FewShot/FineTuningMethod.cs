using PeftGen.Models;
using static TorchSharp.torch;

namespace PeftGen.FewShot;

/// <summary>A way of fine-tuning. In each, a new classifier over the pooled first token trains along.</summary>
/// <param name="Name">The name on the command line and in the results.</param>
/// <param name="Title">The name in the table.</param>
/// <param name="LearningRate">The full learning rate: one for a method, whatever the number of sentences.</param>
/// <param name="Create">Makes the adapter of the group that <c>Declarations.cs</c> declares; null: there is none.</param>
internal sealed record FineTuningMethod(string Name, string Title, double LearningRate, Func<BertModel, Generator, BertModel.Adapter>? Create = null)
{
    /// <summary>Whether the base itself trains.</summary>
    public bool TrainsBase { get; private init; }

    /// <summary>All that are compared, in the order of the table.</summary>
    public static IReadOnlyList<FineTuningMethod> All { get; } =
    [
        new("full", "full fine-tuning", 5e-5) { TrainsBase = true },
        new("head", "head only", 5e-3),
        new("lora", "LoRA (q, v; rank 8)", 1e-3, (bert, generator) => bert.CreateLoraAdapter(generator: generator)),
        new("ia3", "(IA)³", 5e-3, (bert, generator) => bert.CreateIa3Adapter(generator: generator)),
        new("pfeiffer", "Pfeiffer (reduction 8)", 5e-4, (bert, generator) => bert.CreatePfeifferAdapter(generator: generator)),
        new("parallel", "parallel (reduction 2)", 5e-4, (bert, generator) => bert.CreateSideAdapter(generator: generator)),
        new("prefix", "prefix (10, MLP 256)", 1e-3, (bert, generator) => bert.CreatePrefixAdapter(generator: generator)),
        new("unipelt", "UniPELT", 5e-4, (bert, generator) => bert.CreateUnipeltAdapter(generator: generator)),
    ];
}
