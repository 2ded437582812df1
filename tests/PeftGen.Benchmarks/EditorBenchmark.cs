using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using Microsoft.CodeAnalysis;

namespace PeftGen.Benchmarks;

/// <summary>What the generator costs in an editor.</summary>
internal static class EditorBenchmark
{
    private const int WarmUp = 150, Runs = 100;

    public static Command Command { get; } = Create();

    private static Command Create()
    {
        var command = new Command("editor", "Times the generator in a project of about 200 files: from nothing, and after an edit that has nothing to do with the models.");
        command.SetAction(_ => Run());
        return command;
    }

    private static void Run()
    {
        var first = EditorProject.NewDriver().RunGenerators(EditorProject.Fresh()).GetRunResult().Results.Single();
        if (first.Exception is not null || first.GeneratedSources.Length < 10 || first.Diagnostics.Any(d => d.Severity == DiagnosticSeverity.Error))
            throw new InvalidOperationException($"the project does not generate: {first.Exception} {string.Join("\n", first.Diagnostics)}");
        Console.WriteLine($"{EditorProject.Fresh().SyntaxTrees.Length} files, {first.GeneratedSources.Length} emitted; medians of {Runs} runs, {Environment.ProcessorCount} cores");

        Report("cold: new driver, compilation of which nothing is bound", Cold);

        var project = EditorProject.Fresh();
        var driver = EditorProject.NewDriver().RunGenerators(project);
        Report("unrelated edit: same driver", i =>
        {
            project = EditorProject.EditOther(project, i);
            var watch = Stopwatch.StartNew();
            driver = driver.RunGenerators(project);
            watch.Stop();
            var now = driver.GetRunResult().Results.Single();
            if (!now.GeneratedSources.Select(s => (s.HintName, s.SourceText.ToString())).SequenceEqual(first.GeneratedSources.Select(s => (s.HintName, s.SourceText.ToString()))))
                throw new InvalidOperationException("an unrelated edit changed what is emitted");
            return watch.Elapsed;
        });
    }

    private static TimeSpan Cold(int run)
    {
        var (project, driver) = (EditorProject.Fresh(), EditorProject.NewDriver());
        var watch = Stopwatch.StartNew();
        driver.RunGenerators(project);
        return watch.Elapsed;
    }

    private static void Report(string what, Func<int, TimeSpan> run)
    {
        for (var i = 0; i < WarmUp; i++)
            run(i);
        var times = Enumerable.Range(WarmUp, Runs).Select(i => run(i).TotalMilliseconds).Order().ToList();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what}: {times[Runs / 2]:0.0} ms (from {times[0]:0.0} to {times[^1]:0.0})"));
    }
}
