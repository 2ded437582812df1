using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>How merged values get into the base's weights.</summary>
internal static class Merging
{
    /// <summary>weight ← weight + delta, computed in the wider of the two types and rounded once.</summary>
    public static void Add(Parameter weight, Tensor delta)
    {
        using var near = delta.to(weight.device);
        using var wide = weight.to(delta.dtype);
        using var sum = wide + near;
        weight.copy_(sum);
    }

    /// <summary>weight ← weight ∘ factor, computed in the wider of the two types and rounded once.</summary>
    public static void Multiply(Parameter weight, Tensor factor)
    {
        using var near = factor.to(weight.device);
        using var wide = weight.to(factor.dtype);
        using var product = wide * near;
        weight.copy_(product);
    }
}

/// <summary>How HF PEFT's keys begin.</summary>
internal static class HuggingFaceKeys
{
    public const string Prefix = "base_model.model.";

    /// <summary>Of a module that trains whole beside a prompt.</summary>
    public const string PromptPrefix = "base_model.";
}
