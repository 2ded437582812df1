using System.Diagnostics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Training;

/// <summary>How a <see cref="Trainer"/> trains.</summary>
public sealed record TrainerOptions
{
    /// <summary>How many times the optimizer steps.</summary>
    public required int Steps { get; init; }

    /// <summary>The full learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>What part of the learning rate each step uses.</summary>
    public LearningRateSchedule Schedule { get; init; } = Schedules.Cosine();

    /// <summary>AdamW's weight decay.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Gradients are scaled down to this norm where theirs, over all parameters, is larger.</summary>
    public double MaxGradientNorm { get; init; } = 1;
}

/// <summary>What a training has done so far.</summary>
/// <param name="Step">Steps done.</param>
/// <param name="Steps">Steps in all.</param>
/// <param name="Loss">The loss of the last batch.</param>
/// <param name="RecentLoss">A moving average of the last losses.</param>
/// <param name="Elapsed">The time since training began.</param>
public readonly record struct TrainingProgress(int Step, int Steps, double Loss, double RecentLoss, TimeSpan Elapsed);

/// <summary>Trains parameters with AdamW (https://arxiv.org/abs/1711.05101). It knows neither model nor adapter: the loss is a function.</summary>
public static class Trainer
{
    /// <summary>Runs the training.</summary>
    /// <param name="parameters">What trains, for example <c>adapter.parameters()</c>.</param>
    /// <param name="options">How.</param>
    /// <param name="loss">The loss of a step's batch, a scalar that gradients flow from; the step counts from 0.</param>
    /// <param name="progress">Told after every step.</param>
    /// <param name="cancellation">Ends the training before its next step.</param>
    /// <returns>The loss of every step.</returns>
    /// <exception cref="ArgumentException">There is nothing to train, or some of it is frozen.</exception>
    /// <exception cref="InvalidOperationException">The loss does not depend on what is to be trained.</exception>
    /// <exception cref="TrainingDivergedException">A loss is no finite number; the parameters are those before that step.</exception>
    /// <exception cref="OperationCanceledException">The training was cancelled.</exception>
    public static LossCurve Run(
        IEnumerable<Parameter> parameters, TrainerOptions options, Func<int, Tensor> loss, Action<TrainingProgress>? progress = null, CancellationToken cancellation = default)
    {
        var given = parameters.ToList();
        var trained = given.Where(p => p.requires_grad).ToList();
        if (trained.Count == 0)
            throw new ArgumentException(
                $"None of the {given.Count} parameters requires gradients: a model's own are frozen once an adapter is made. Give adapter.parameters(), or call the model's Unfreeze() to train all of it.", nameof(parameters));
        if (trained.Count < given.Count)
            throw new ArgumentException(
                $"{given.Count - trained.Count} of the {given.Count} parameters are frozen, so they are not the adapter's. Give adapter.parameters(), without those of the model.", nameof(parameters));
        var curve = new LossCurve();
        var clock = Stopwatch.StartNew();
        using var optimizer = new LeanAdamW(trained, options.LearningRate, options.WeightDecay);
        for (var step = 0; step < options.Steps; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            // The batch and all that is computed from it; what lives longer is made by the optimizer before the first step.
            using var scope = NewDisposeScope();
            optimizer.ZeroGradients();
            var value = loss(step);
            double number = value.to(ScalarType.Float64).item<double>();
            if (!double.IsFinite(number)) throw new TrainingDivergedException(step, number);
            if (!value.requires_grad)
                throw new InvalidOperationException("The loss has no gradient, so there is nothing to learn from. Run the model with its adapter, model.forward(adapter, …), outside of no_grad; an adapter that is merged has to be unmerged first.");
            value.backward();
            if (step == 0) RequireGradients(trained);
            nn.utils.clip_grad_norm_(trained, options.MaxGradientNorm);
            optimizer.LearningRate = options.LearningRate * options.Schedule(step, options.Steps);
            optimizer.Step();
            curve.Add(number);
            FreedMemory.Sweep();
            progress?.Invoke(new TrainingProgress(step + 1, options.Steps, number, curve.Recent, clock.Elapsed));
        }
        return curve;
    }

    /// <summary>Throws where training would go on and change nothing, or not what was meant.</summary>
    private static void RequireGradients(List<Parameter> trained)
    {
        if (trained.All(p => p.grad is not { IsInvalid: false }))
            throw new InvalidOperationException($"No gradient reached any of the {trained.Count} parameters that are to be trained, so they are not those that the loss depends on. Give the parameters of the adapter that the model runs with.");
    }
}
