using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>
/// What float32's rounding alone can do to gradients, and through AdamW to trained values. Two correct programs that add the same terms
/// in another order disagree by this much.
/// </summary>
/// <remarks>
/// A gradient that is zero in exact arithmetic, such as that of a key's bias before a softmax, comes out as the rounding of the terms that
/// cancel. One that is nearly so, such as that of the weights of a mix, has that rounding on top: how much cannot be told from the two float32 numbers, so float64 is asked which of them is off. And AdamW divides a gradient by its own size: where a gradient is no larger than its rounding, the step is noise over noise, as
/// large as any other step. Numbers elsewhere get nothing worth mentioning from this.
/// </remarks>
internal sealed class Rounding
{
    private const double Epsilon = 1.1920929e-7;

    // The rounding of a tensor's gradient, relative to its largest number: a backward pass adds some ten rounded terms.
    private const double OfGradient = 1e-6;

    // Below this part of the case's largest gradient, a whole tensor is what remains of terms that cancel.
    private const double AllCancelled = 1e-6;

    private readonly ExpectedTensors _expected;
    private readonly double _largest;

    public Rounding(ExpectedTensors expected)
    {
        _expected = expected;
        _largest = expected.Keys("grad.").Select(Largest).DefaultIfEmpty(0).Max();
    }

    /// <summary>For each number of a gradient; null: nothing beyond the tolerance.</summary>
    /// <param name="key">The parameter's key.</param>
    public Tensor? OfGradientOf(string key)
    {
        var largest = Largest($"grad.{key}");
        if (largest > AllCancelled * _largest)
            return null;
        using var gradient = _expected.Peek($"grad.{key}");
        return full(gradient.shape, Epsilon * _largest, dtype: ScalarType.Float64);
    }

    /// <summary>
    /// Whether float64 lays a difference to the rounding of the recorded numbers: they are off from the exact ones by no more than the terms of the case's largest gradient round, and ours by no more than they.
    /// A recorded number that is wrong is off by more, one of ours that is wrong by more than the recorded.
    /// </summary>
    /// <param name="recorded">The recorded gradient.</param>
    /// <param name="ours">Ours in float32.</param>
    /// <param name="exact">Ours in float64.</param>
    public bool IsOfTheReference(Tensor recorded, Tensor ours, Tensor exact)
    {
        using var scope = NewDisposeScope();
        var (theirError, ourError) = ((recorded - exact).abs().max().item<double>(), (ours - exact).abs().max().item<double>());
        return theirError <= Epsilon * _largest && ourError <= theirError;
    }

    /// <summary>For each number of a trained parameter; null where its gradient was not recorded.</summary>
    /// <param name="key">The parameter's key.</param>
    /// <param name="actual">Our gradient of the first step; where both are zero, nothing was rounded.</param>
    /// <param name="optimizer">The recorded optimizer.</param>
    public Tensor? OfTraining(string key, Tensor actual, OptimizerSettings optimizer)
    {
        if (!_expected.Has($"grad.{key}") || actual.numel() == 0)
            return null;
        using var scope = NewDisposeScope();
        var gradient = _expected.Peek($"grad.{key}").to(ScalarType.Float64).abs();
        var ours = actual.cpu().to(ScalarType.Float64).abs();
        var largest = gradient.max().item<double>();
        var cancelled = largest <= AllCancelled * _largest;
        var rounding = cancelled ? Epsilon * _largest : OfGradient * largest;
        // A step is between −lr and lr, whatever the gradient is.
        var step = (rounding / (gradient + optimizer.Epsilon)).clamp_max(2);
        var summed = gradient + ours;
        // A zero among other numbers is one that nothing was added to, but where all cancel some come out as zero by chance.
        var rounded = cancelled ? summed.max().gt(0) : summed.gt(0);
        return (step * rounded.to(ScalarType.Float64) * (optimizer.LearningRate * optimizer.Steps)).MoveToOuterDisposeScope();
    }

    private double Largest(string key)
    {
        using var scope = NewDisposeScope();
        var gradient = _expected.Peek(key);
        return gradient.numel() == 0 ? 0 : gradient.abs().max().to(ScalarType.Float64).item<double>();
    }
}
