namespace PeftGen.FewShot.Experiments;

/// <summary>All results, gathered over seeds.</summary>
internal sealed class Summary
{
    /// <param name="results">The results.</param>
    public Summary(IReadOnlyList<RunResult> results)
    {
        Sizes = [.. results.Select(result => result.K).Distinct().Order()];
        Rows = [.. FineTuningMethod.All.Select(method => (method, own: results.Where(result => result.Method == method.Name).ToList()))
            .Where(pair => pair.own.Count > 0)
            .Select(pair => new SummaryRow(
                pair.method.Title,
                pair.own[0].Trained,
                Sizes.ToDictionary(k => k, k => Accuracy.Of([.. pair.own.Where(result => result.K == k).Select(result => result.Accuracy)])),
                Median(pair.own, result => result.SecondsPerStep),
                Median(pair.own, result => result.ProcessorSecondsPerStep)))];
    }

    /// <summary>The sizes of training sets that there are results of.</summary>
    public IReadOnlyList<int> Sizes { get; }

    /// <summary>One for each method that there are results of.</summary>
    public IReadOnlyList<SummaryRow> Rows { get; }

    private static double Median(List<RunResult> runs, Func<RunResult, double> seconds) => runs.Select(seconds).Order().ElementAt(runs.Count / 2);
}

/// <summary>A method's results.</summary>
/// <param name="Title">The method.</param>
/// <param name="Trained">How many numbers train.</param>
/// <param name="Accuracies">By the size of the training set; null where there is no result.</param>
/// <param name="SecondsPerStep">The median over its runs.</param>
/// <param name="ProcessorSecondsPerStep">The same of the processor's time.</param>
internal sealed record SummaryRow(string Title, long Trained, IReadOnlyDictionary<int, Accuracy?> Accuracies, double SecondsPerStep, double ProcessorSecondsPerStep);

/// <summary>Accuracy over several seeds.</summary>
/// <param name="Mean">The mean.</param>
/// <param name="Deviation">The standard deviation between seeds; null with a single one.</param>
internal sealed record Accuracy(double Mean, double? Deviation)
{
    /// <summary>Of some runs; null of none.</summary>
    public static Accuracy? Of(IReadOnlyList<double> runs)
    {
        if (runs.Count == 0) return null;
        var mean = runs.Average();
        return new Accuracy(mean, runs.Count > 1 ? Math.Sqrt(runs.Sum(run => Math.Pow(run - mean, 2)) / (runs.Count - 1)) : null);
    }
}
