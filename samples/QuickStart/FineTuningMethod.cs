using PeftGen.Models;
using static TorchSharp.torch;

namespace PeftGen.QuickStart;

/// <summary>A way of fine-tuning that <c>Declarations.cs</c> declares: one group of methods, with the adapter type compiled for it.</summary>
internal abstract class FineTuningMethod
{
    /// <summary>The name on the command line.</summary>
    public abstract string Name { get; }

    /// <summary>The name in texts.</summary>
    public abstract string Title { get; }

    /// <summary>Steps that learn the small base's new task.</summary>
    public abstract int WordSteps { get; }

    /// <summary>The learning rate for the small base's new task.</summary>
    public abstract double WordLearningRate { get; }

    /// <summary>The learning rate for text.</summary>
    public abstract double TextLearningRate { get; }

    /// <summary>A new adapter.</summary>
    /// <param name="model">The base; it is frozen.</param>
    /// <param name="rank">Another rank than the declared one.</param>
    /// <param name="generator">Of the random start.</param>
    /// <exception cref="QuickStartException">The method has no rank.</exception>
    public abstract LlamaForCausalLM.Adapter Create(LlamaForCausalLM model, int? rank, Generator generator);

    /// <summary>Loads what <see cref="Save"/> wrote.</summary>
    public abstract LlamaForCausalLM.Adapter Load(LlamaForCausalLM model, string folder);

    /// <summary>Saves an adapter of this method as HF PEFT does.</summary>
    public abstract void Save(LlamaForCausalLM.Adapter adapter, string folder, string baseModel);

    /// <summary>Merges an adapter of this method.</summary>
    public abstract void Merge(LlamaForCausalLM.Adapter adapter, LlamaForCausalLM model);

    /// <summary>Takes it out again.</summary>
    public abstract void Unmerge(LlamaForCausalLM.Adapter adapter, LlamaForCausalLM model);

    /// <summary>All that are declared.</summary>
    public static IReadOnlyList<FineTuningMethod> All { get; } = [new LoRAFineTuning(), new IA3FineTuning()];

    private sealed class LoRAFineTuning : FineTuningMethod
    {
        public override string Name => "lora";

        public override string Title => "LoRA";

        public override int WordSteps => 400;

        public override double WordLearningRate => 1e-2;

        public override double TextLearningRate => 1e-3;

        public override LlamaForCausalLM.Adapter Create(LlamaForCausalLM model, int? rank, Generator generator) =>
            rank is { } other ? model.CreateAdapter(new LoRA(rank: other, alpha: 2 * other, targets: "q,v,o"), generator) : model.CreateAdapter(generator: generator);

        public override LlamaForCausalLM.Adapter Load(LlamaForCausalLM model, string folder) => model.LoadAdapter(folder);

        public override void Save(LlamaForCausalLM.Adapter adapter, string folder, string baseModel) => ((LlamaForCausalLM.LoRAAdapter)adapter).Save(folder, baseModel);

        public override void Merge(LlamaForCausalLM.Adapter adapter, LlamaForCausalLM model) => ((LlamaForCausalLM.LoRAAdapter)adapter).MergeInto(model);

        public override void Unmerge(LlamaForCausalLM.Adapter adapter, LlamaForCausalLM model) => ((LlamaForCausalLM.LoRAAdapter)adapter).UnmergeFrom(model);
    }

    private sealed class IA3FineTuning : FineTuningMethod
    {
        public override string Name => "ia3";

        public override string Title => "(IA)³";

        public override int WordSteps => 500;

        public override double WordLearningRate => 1e-1;

        public override double TextLearningRate => 1e-2;

        public override LlamaForCausalLM.Adapter Create(LlamaForCausalLM model, int? rank, Generator generator) =>
            rank is null ? model.CreateIa3Adapter(generator: generator) : throw new QuickStartException("--rank: (IA)³ has no rank, it scales activations by one vector a layer. Leave the option out, or use --method lora.");

        public override LlamaForCausalLM.Adapter Load(LlamaForCausalLM model, string folder) => model.LoadIa3Adapter(folder);

        public override void Save(LlamaForCausalLM.Adapter adapter, string folder, string baseModel) => ((LlamaForCausalLM.Ia3Adapter)adapter).Save(folder, baseModel);

        public override void Merge(LlamaForCausalLM.Adapter adapter, LlamaForCausalLM model) => ((LlamaForCausalLM.Ia3Adapter)adapter).MergeInto(model);

        public override void Unmerge(LlamaForCausalLM.Adapter adapter, LlamaForCausalLM model) => ((LlamaForCausalLM.Ia3Adapter)adapter).UnmergeFrom(model);
    }
}
