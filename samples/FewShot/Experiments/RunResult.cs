namespace PeftGen.FewShot.Experiments;

/// <summary>What is run: one training.</summary>
/// <param name="Method">The method's name.</param>
/// <param name="K">How many sentences train.</param>
/// <param name="Seed">Which sentences, their order, the random starts and dropout.</param>
internal sealed record RunKey(string Method, int K, int Seed);

/// <summary>What a run came to; one line of the results.</summary>
/// <param name="Setup">Of what model, data and test; results of others are not comparable.</param>
/// <param name="Method">The method's name.</param>
/// <param name="K">How many sentences trained.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Accuracy">The part of the test's sentences that were told right.</param>
/// <param name="Trained">How many numbers trained, the classifier's with them.</param>
/// <param name="Steps">How many times the optimizer stepped.</param>
/// <param name="SecondsPerStep">The median step's time.</param>
/// <param name="ProcessorSecondsPerStep">The processor's time of a step, over all cores, on average: what other programs on the machine change little.</param>
/// <param name="Loss">The moving average of the loss at the end of training.</param>
internal sealed record RunResult(string Setup, string Method, int K, int Seed, double Accuracy, long Trained, int Steps, double SecondsPerStep, double ProcessorSecondsPerStep, double Loss)
{
    /// <summary>What was run.</summary>
    public RunKey Key() => new(Method, K, Seed);
}
