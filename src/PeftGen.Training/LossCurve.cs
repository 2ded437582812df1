namespace PeftGen.Training;

/// <summary>The losses of a training, step by step.</summary>
/// <param name="smoothing">How much of the smoothed loss each step keeps, from 0 (none) to below 1.</param>
/// <exception cref="ArgumentOutOfRangeException"><paramref name="smoothing"/> is outside its range.</exception>
public sealed class LossCurve(double smoothing = 0.95)
{
    private readonly double _smoothing = smoothing is >= 0 and < 1 ? smoothing
        : throw new ArgumentOutOfRangeException(nameof(smoothing), smoothing, "Expected a number from 0 to below 1.");

    private readonly List<double> _losses = [];
    private readonly List<double> _smoothed = [];
    private double _sum;
    private double _weight;

    /// <summary>The loss of each step's batch.</summary>
    public IReadOnlyList<double> Losses => _losses;

    /// <summary>An exponential moving average of the losses, in which the first steps count no more than the others.</summary>
    public IReadOnlyList<double> Smoothed => _smoothed;

    /// <summary>Adds the next step's loss.</summary>
    /// <param name="loss">The loss; one that is no finite number is kept as it is and left out of the average.</param>
    public void Add(double loss)
    {
        _losses.Add(loss);
        if (double.IsFinite(loss))
        {
            _sum = _smoothing * _sum + (1 - _smoothing) * loss;
            _weight = _smoothing * _weight + (1 - _smoothing);
        }
        _smoothed.Add(_sum / _weight);
    }
}
