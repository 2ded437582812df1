namespace PeftGen.Training;

/// <summary>The losses of a training, step by step.</summary>
public sealed class LossCurve
{
    // A step's weight in the recent loss falls to a third after ten more.
    private const double Kept = 0.9;

    private readonly List<double> _losses = [];
    private double _sum;
    private double _weight;

    /// <summary>The loss of each step's batch.</summary>
    public IReadOnlyList<double> Losses => _losses;

    /// <summary>A moving average that ends at the last step: calmer than one batch's loss. Not a number where there is no step.</summary>
    public double Recent => _sum / _weight;

    /// <summary>Adds the next step's loss.</summary>
    /// <param name="loss">The loss, a finite number.</param>
    /// <exception cref="ArgumentOutOfRangeException">It is not finite.</exception>
    public void Add(double loss)
    {
        if (!double.IsFinite(loss)) throw new ArgumentOutOfRangeException(nameof(loss), loss, "Expected a finite number.");
        _losses.Add(loss);
        _sum = Kept * _sum + (1 - Kept) * loss;
        _weight = Kept * _weight + (1 - Kept);
    }

    /// <summary>
    /// The course of values without their noise: each is averaged with its neighbours on both sides under a bell curve, so that
    /// it does not lag behind as a moving average does. Near the ends only the neighbours that exist count.
    /// </summary>
    /// <param name="values">The losses, or for a logarithmic picture their logarithms.</param>
    /// <param name="width">The bell curve's standard deviation, in steps.</param>
    /// <returns>As many values.</returns>
    public static double[] Smooth(IReadOnlyList<double> values, double width)
    {
        var reach = (int)Math.Ceiling(3 * width);
        var smooth = new double[values.Count];
        for (var center = 0; center < smooth.Length; center++)
        {
            var (sum, weight) = (0.0, 0.0);
            for (var at = Math.Max(0, center - reach); at <= Math.Min(values.Count - 1, center + reach); at++)
            {
                var share = Math.Exp(-0.5 * Math.Pow((at - center) / width, 2));
                sum += share * values[at];
                weight += share;
            }
            smooth[center] = sum / weight;
        }
        return smooth;
    }
}
