using TorchSharp;

namespace PeftGen.Checkpoints;

/// <summary>One tensor of a safetensors file, as its header describes it.</summary>
/// <param name="DType">The element type in the file.</param>
/// <param name="Shape">The sizes, outermost first; empty for a scalar.</param>
public sealed record SafetensorsEntry(torch.ScalarType DType, long[] Shape)
{
    /// <summary>How many numbers the tensor has.</summary>
    internal long Numbers => Shape.Aggregate(1L, (product, length) => product * length);

    /// <summary>Where the tensor's bytes begin, counted from the end of the header.</summary>
    internal long Begin { get; init; }

    /// <summary>Where the tensor's bytes end, counted from the end of the header.</summary>
    internal long End { get; init; }
}
