using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods.Hosts;

/// <summary>Compares gradients with finite differences in float64.</summary>
public static class Gradients
{
    private const double Step = 1e-5, Tolerance = 1e-6;

    /// <summary>Checks the gradient of each tensor: every one must have a gradient that is not zero and that central differences confirm.</summary>
    /// <param name="output">What is computed of them; a fixed random projection of it is the loss.</param>
    /// <param name="tensors">Leaves that require a gradient.</param>
    public static void Check(Func<Tensor> output, params (string name, Tensor leaf)[] tensors)
    {
        using var scope = NewDisposeScope();
        var weights = Fill.Values(99, output().shape).to(ScalarType.Float64);
        foreach (var (_, leaf) in tensors)
            leaf.grad?.zero_();
        (output() * weights).sum().backward();
        foreach (var (name, leaf) in tensors)
        {
            Assert.True(leaf.dtype == ScalarType.Float64, $"{name} is {leaf.dtype}; differences need float64");
            Assert.True(leaf.grad is not null, $"{name} has no gradient");
            Assert.True(leaf.grad!.abs().max().item<double>() > 1e-3, $"{name}'s gradient is zero");
            TensorAssert.Close(Differences(leaf, () => (output() * weights).sum().item<double>()), leaf.grad!, Tolerance, $"gradient of {name}");
        }
    }

    private static Tensor Differences(Tensor leaf, Func<double> loss)
    {
        using var quiet = no_grad();
        var flat = leaf.view(-1);
        var differences = new double[flat.shape[0]];
        for (var i = 0; i < differences.Length; i++)
        {
            var before = flat[i].item<double>();
            flat[i] = before + Step;
            var above = loss();
            flat[i] = before - Step;
            var below = loss();
            flat[i] = before;
            differences[i] = (above - below) / (2 * Step);
        }

        return tensor(differences).view(leaf.shape);
    }
}
