using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests;

/// <summary>Assertions on tensors.</summary>
public static class TensorAssert
{
    /// <summary>Same element type, shape and bits.</summary>
    public static void Same(Tensor expected, Tensor actual, string what = "tensor")
    {
        using var scope = torch.NewDisposeScope();
        Assert.True(expected.dtype == actual.dtype, $"{what}: {actual.dtype}, expected {expected.dtype}");
        Assert.True(expected.shape.SequenceEqual(actual.shape), $"{what}: shape [{string.Join(", ", actual.shape)}], expected [{string.Join(", ", expected.shape)}]");
        Assert.True(expected.detach().cpu().contiguous().bytes.SequenceEqual(actual.detach().cpu().contiguous().bytes), $"{what}: the values differ");
    }

    /// <summary>Same shape, and no value farther off than <paramref name="tolerance"/> times the largest expected value.</summary>
    public static void Close(Tensor expected, Tensor actual, double tolerance, string what = "tensor")
    {
        using var scope = torch.NewDisposeScope();
        Assert.True(expected.shape.SequenceEqual(actual.shape), $"{what}: shape [{string.Join(", ", actual.shape)}], expected [{string.Join(", ", expected.shape)}]");
        var reference = expected.detach().cpu().to(ScalarType.Float64);
        var error = (actual.detach().cpu().to(ScalarType.Float64) - reference).abs().max().item<double>();
        var largest = reference.abs().max().item<double>();
        // Written so that NaN fails.
        Assert.True(error <= tolerance * largest, $"{what}: off by {error:g3}, allowed {tolerance:g3} of {largest:g3}");
    }
}
