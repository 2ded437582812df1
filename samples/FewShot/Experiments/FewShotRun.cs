using PeftGen.FewShot.Data;
using PeftGen.Models;
using PeftGen.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.FewShot.Experiments;

/// <summary>Trains one method on one training set and tests it. Nothing is chosen on the way: what it ends with is what is tested.</summary>
/// <param name="folder">The BERT's folder.</param>
/// <param name="config">What the folder says.</param>
/// <param name="split">The sentences.</param>
/// <param name="padding">The token to fill up with.</param>
/// <param name="setup">The setup that results are marked with.</param>
internal sealed class FewShotRun(string folder, BertConfig config, SentenceSplit split, long padding, string setup)
{
    private const int BatchSize = 16;
    private const double Warmup = 0.06;

    /// <summary>How often each sentence is seen: fewer sentences are seen more often.</summary>
    public static int Epochs(int k) => k switch
    {
        <= 100 => 20,
        <= 500 => 8,
        _ => 5,
    };

    /// <summary>Runs it.</summary>
    /// <param name="method">The method.</param>
    /// <param name="k">How many sentences train.</param>
    /// <param name="seed">Of everything random.</param>
    /// <param name="cancellation">Ends it before its next step.</param>
    /// <exception cref="TrainingDivergedException">The loss became no number.</exception>
    public RunResult Run(FineTuningMethod method, int k, int seed, CancellationToken cancellation)
    {
        var sentences = split.Draw(k, seed);
        var random = new Random(seed);
        // The base's dropout draws from torch's own generator.
        manual_seed(seed);
        using var generator = new Generator((ulong)seed);
        using var classifier = new SentimentClassifier(folder, config, method, generator, cuda.is_available() ? CUDA : CPU);
        var batches = Enumerable.Range(0, Epochs(k)).SelectMany(_ => LabelledTokens.Epoch(sentences, BatchSize, random)).ToList();
        var trained = classifier.Trained;
        var times = new List<TimeSpan> { TimeSpan.Zero };
        var options = new TrainerOptions { Steps = batches.Count, LearningRate = method.LearningRate, Schedule = Schedules.Linear(Warmup) };
        var before = Environment.CpuUsage.TotalTime;
        var curve = Trainer.Run(trained, options, step => classifier.Loss(batches[step], padding), progress => times.Add(progress.Elapsed), cancellation);
        var processor = (Environment.CpuUsage.TotalTime - before).TotalSeconds / batches.Count;
        var seconds = times.Zip(times.Skip(1), (start, end) => (end - start).TotalSeconds).Order().ToArray();
        return new RunResult(
            setup, method.Name, k, seed, classifier.Accuracy(split.Test, padding, cancellation), trained.Sum(parameter => parameter.numel()),
            batches.Count, seconds[seconds.Length / 2], processor, curve.Recent);
    }
}
