using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Training;

/// <summary>
/// AdamW (https://arxiv.org/abs/1711.05101): <c>θ ← (1 − lr·decay)·θ − lr · m̂ / (√v̂ + eps)</c>. All that a step makes is freed at once; what TorchSharp's own makes stays until the garbage
/// collector comes by, which with large parameters is several times their size.
/// </summary>
/// <param name="parameters">What learns. Those without a gradient are left alone in a step, as if there had been none for them.</param>
/// <param name="learningRate">The learning rate.</param>
/// <param name="weightDecay">The decay. Default: 0.01.</param>
/// <param name="beta1">How slowly the mean of gradients moves. Default: 0.9.</param>
/// <param name="beta2">How slowly the mean of squared gradients moves. Default: 0.999.</param>
/// <param name="eps">Keeps the step from dividing by zero. Default: 1e-8.</param>
public sealed class LeanAdamW(
    IEnumerable<Parameter> parameters, double learningRate = 1e-3, double weightDecay = 0.01, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8) : IDisposable
{
    private readonly List<Moments> _moments = parameters.Select(parameter => new Moments(parameter)).ToList();

    /// <summary>The learning rate of the next step.</summary>
    public double LearningRate { get; set; } = learningRate;

    /// <summary>Moves every parameter that has a gradient.</summary>
    public void Step()
    {
        using var quiet = no_grad();
        foreach (var moments in _moments)
        {
            // Operations in place return handles of their own, which the scope frees.
            using var scope = NewDisposeScope();
            var parameter = moments.Parameter;
            if (parameter.grad is not { IsInvalid: false } gradient)
                continue;
            var steps = ++moments.Steps;
            moments.Mean ??= zeros_like(parameter).DetachFromDisposeScope();
            moments.Square ??= zeros_like(parameter).DetachFromDisposeScope();
            moments.Mean.lerp_(gradient, 1 - beta1);
            moments.Square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
            var size = moments.Square.sqrt().div_(Math.Sqrt(1 - Math.Pow(beta2, steps))).add_(eps);
            parameter.mul_(1 - LearningRate * weightDecay).addcdiv_(moments.Mean, size, -LearningRate / (1 - Math.Pow(beta1, steps)));
        }
    }

    /// <summary>Frees the gradients, so that the next backward pass begins at none.</summary>
    public void ZeroGradients()
    {
        foreach (var moments in _moments)
            moments.Parameter.grad = null;
    }

    /// <summary>Frees the moments; the parameters stay the caller's.</summary>
    public void Dispose()
    {
        foreach (var moments in _moments)
        {
            moments.Mean?.Dispose();
            moments.Square?.Dispose();
        }
    }

    private sealed class Moments(Parameter parameter)
    {
        public Parameter Parameter { get; } = parameter;

        public Tensor? Mean { get; set; }

        public Tensor? Square { get; set; }

        public int Steps { get; set; }
    }
}
