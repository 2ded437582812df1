using System.Globalization;
using PeftGen.Models;
using PeftGen.QuickStart.Display;
using PeftGen.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Words;

/// <summary>The main story: a small base that cannot reverse words learns it through an adapter, and stays what it was.</summary>
internal sealed class WordDemo(RunOptions options, Screen screen)
{
    private const int BatchSize = 64;
    private const int Examples = 6;
    private const double RoundingError = 1e-4;

    private readonly FineTuningMethod _method = options.Method;
    private readonly WordExam _exam = new([WordTask.New], 400);
    private readonly WordExam _ownExam = new(WordTask.Known, 300);
    private readonly LogitProbe _probe = new();

    /// <summary>Tells the story.</summary>
    /// <param name="cancellation">Stops the training.</param>
    /// <exception cref="QuickStartException">Merging, unmerging or the file changed something.</exception>
    public WordOutcome Run(CancellationToken cancellation)
    {
        var threads = get_num_threads();
        // Matrices this small are done sooner than threads have met; and so any number of cores gives the same bits.
        set_num_threads(1);
        try
        {
            return RunOnOneThread(cancellation);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    private WordOutcome RunOnOneThread(CancellationToken cancellation)
    {
        var baseFolder = Path.Combine(AppContext.BaseDirectory, "base");
        using var model = LlamaForCausalLM.FromPretrained(baseFolder);
        var logits = _probe.Of(model.forward);
        var (before, ownBefore) = (_exam.Ask(model.forward), WordExam.Score(_ownExam.Ask(model.forward)));
        ShowBase(model, WordExam.Score(before), ownBefore);

        screen.Heading($"The adapter: {_method.Title}");
        using var generator = new Generator((ulong)options.Seed);
        using var adapter = _method.Create(model, options.Rank, generator);
        AdapterTable.Show(screen, adapter.ParameterReport(model));

        screen.Heading($"Training on \"{WordTask.New.Name}\"");
        Train(model, adapter, cancellation);

        var after = _exam.Ask((ids, mask, cache) => model.forward(adapter, ids, mask, cache));
        ShowAnswers(before, after);
        var outcome = Prove(model, adapter, logits) with
        {
            Before = WordExam.Score(before),
            After = WordExam.Score(after),
            OwnBefore = ownBefore,
            OwnAfter = WordExam.Score(_ownExam.Ask(model.forward)),
        };
        ShowProofs(outcome);
        GeneratedCode.Show(screen);
        return outcome.Holds ? outcome : throw new QuickStartException("A check above failed: that is a defect of PeftGen, please report it with this output.");
    }

    private void Train(LlamaForCausalLM model, LlamaForCausalLM.Adapter adapter, CancellationToken cancellation)
    {
        var words = new WordSource(options.Seed);
        var training = new TrainerOptions { Steps = options.Steps ?? _method.WordSteps, LearningRate = _method.WordLearningRate };
        model.train();
        adapter.train();
        var curve = screen.Train(training.Steps, progress => Trainer.Run(
            adapter.parameters(),
            training,
            _ =>
            {
                var batch = WordBatch.Of([.. Enumerable.Range(0, BatchSize).Select(_ => WordTask.New.Line(words.ForTraining()))]);
                return CausalLoss.Of(model.forward(adapter, batch.Ids, batch.Mask), batch.Labels);
            },
            progress,
            cancellation));
        adapter.eval();
        model.eval();
        LossCurvePlot.Save(curve, $"{_method.Title} learns to {WordTask.New.Name} words", options.LossCurveFile);
        screen.Fact("loss curve", options.LossCurveFile);
    }

    /// <summary>Saves, reloads, merges and unmerges, and compares logits on the way. Accuracies are left at zero.</summary>
    private WordOutcome Prove(LlamaForCausalLM model, LlamaForCausalLM.Adapter adapter, float[] baseLogits)
    {
        var kept = LogitProbe.SameBits(baseLogits, _probe.Of(model.forward));
        var adapted = _probe.Of((ids, mask, cache) => model.forward(adapter, ids, mask, cache));
        _method.Save(adapter, options.AdapterFolder, "samples/QuickStart/base");
        using var loaded = _method.Load(model, options.AdapterFolder);
        var reloaded = _probe.Of((ids, mask, cache) => model.forward(loaded, ids, mask, cache));

        _method.Merge(adapter, model);
        var merged = _probe.Of(model.forward);
        _method.Unmerge(adapter, model);
        var unmerged = _probe.Of(model.forward);
        var difference = LogitProbe.Difference(adapted, merged);
        return new WordOutcome(
            0, 0, 0, 0, kept,
            ReloadedSame: LogitProbe.SameBits(adapted, reloaded),
            MergedDifference: difference,
            MergedSame: difference <= RoundingError * adapted.Max(Math.Abs) && !LogitProbe.SameBits(merged, baseLogits),
            UnmergedSame: LogitProbe.SameBits(baseLogits, unmerged));
    }

    private void ShowBase(LlamaForCausalLM model, double score, double ownScore)
    {
        const string example = "plum";
        screen.Heading("The base");
        screen.Fact("model", string.Create(CultureInfo.InvariantCulture, $"{nameof(LlamaForCausalLM)} with {model.parameters().Sum(p => p.numel()):N0} parameters, from samples/QuickStart/base"));
        foreach (var task in WordTask.Known) screen.Fact(task == WordTask.Known[0] ? "knows" : "", $"{task.Question(example)}{task.Solve(example),-6} {task.Name}");
        screen.Fact("its own", $"{Percent(ownScore)} right, on words that it never saw");
        screen.Fact("new to it", $"{WordTask.New.Question(example)}{WordTask.New.Solve(example),-6} {WordTask.New.Name}");
        screen.Fact("", $"{Percent(score)} right, before training");
    }

    private void ShowAnswers(IReadOnlyList<WordAnswer> before, IReadOnlyList<WordAnswer> after)
    {
        screen.Heading("Words that training never saw");
        // Long words, since short ones are easy; and what went wrong, if anything did.
        var longest = after.Index().OrderByDescending(answer => answer.Item.Question.Length).ToLookup(answer => answer.Item.IsRight, answer => answer.Index);
        var wrong = Math.Min(longest[false].Count(), Math.Max(Examples / 3, Examples - longest[true].Count()));
        screen.Table(
            ["asked", "right answer", "the base", $"with {_method.Title}", ""],
            longest[true].Take(Examples - wrong).Concat(longest[false].Take(wrong))
                .Select(i => new[] { after[i].Question, after[i].Expected, before[i].Given, after[i].Given, after[i].IsRight ? "✓" : "✗" }));
        screen.Fact("right", $"{Percent(WordExam.Score(before))} before, {Percent(WordExam.Score(after))} after, of {after.Count} words");
    }

    private void ShowProofs(WordOutcome outcome)
    {
        screen.Heading("The base is still the base");
        screen.Check("own tasks", outcome.OwnAfter >= outcome.OwnBefore, $"{Percent(outcome.OwnBefore)} right before, {Percent(outcome.OwnAfter)} after");
        screen.Check("its logits", outcome.BaseKept, outcome.BaseKept ? "the same, bit for bit" : "changed");
        screen.Check("saved", true, options.AdapterFolder);
        screen.Check("reloaded", outcome.ReloadedSame, outcome.ReloadedSame ? "the same logits, bit for bit" : "other logits than before saving");
        screen.Check("merged", outcome.MergedSame, string.Create(CultureInfo.InvariantCulture, $"the base now gives the adapted logits; largest difference {outcome.MergedDifference:0.0e+0}"));
        screen.Check("unmerged", outcome.UnmergedSame, outcome.UnmergedSame ? "the base's logits again, bit for bit" : "other logits than the base's");
    }

    private static string Percent(double part) => (100 * part).ToString("0.0", CultureInfo.InvariantCulture) + " %";
}
