namespace PeftGen.Training;

/// <summary>The part of the full learning rate that a step uses, between 0 and 1.</summary>
/// <param name="step">The step, from 0.</param>
/// <param name="steps">How many there are.</param>
public delegate double LearningRateSchedule(int step, int steps);

/// <summary>The usual schedules. Each rises in a straight line first, since the first gradients are the least reliable.</summary>
public static class Schedules
{
    /// <summary>Stays at the full rate.</summary>
    /// <param name="warmup">The part of all steps in which the rate rises.</param>
    public static LearningRateSchedule Constant(double warmup = 0.05) => (step, steps) => Rise(step, steps, warmup);

    /// <summary>Falls in a straight line to zero.</summary>
    /// <param name="warmup">The part of all steps in which the rate rises.</param>
    public static LearningRateSchedule Linear(double warmup = 0.05) => (step, steps) => Rise(step, steps, warmup) * (1 - Fallen(step, steps, warmup));

    /// <summary>Falls along half a cosine to zero (https://arxiv.org/abs/1608.03983, without restarts).</summary>
    /// <param name="warmup">The part of all steps in which the rate rises.</param>
    public static LearningRateSchedule Cosine(double warmup = 0.05) => (step, steps) => Rise(step, steps, warmup) * (0.5 + 0.5 * Math.Cos(Math.PI * Fallen(step, steps, warmup)));

    private static double Rise(int step, int steps, double warmup) => Math.Min(1, (step + 1) / Math.Max(1, warmup * steps));

    private static double Fallen(int step, int steps, double warmup)
    {
        var start = warmup * steps;
        return Math.Clamp((step - start) / Math.Max(1, steps - start), 0, 1);
    }
}
