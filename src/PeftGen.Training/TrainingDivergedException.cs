using System.Globalization;

namespace PeftGen.Training;

/// <summary>A training went wrong beyond repair: its loss is no finite number.</summary>
/// <param name="step">The step, from 0.</param>
/// <param name="loss">What was found instead of a loss.</param>
public sealed class TrainingDivergedException(int step, double loss)
    : Exception(string.Create(CultureInfo.InvariantCulture, $"The loss of step {step + 1} is {loss}, expected a finite number. Lower the learning rate, or look at this step's data."));
