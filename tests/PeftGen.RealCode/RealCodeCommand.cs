using System.CommandLine;
using Spectre.Console;

namespace PeftGen.RealCode;

/// <summary>The program's options and what it does with them.</summary>
internal static class RealCodeCommand
{
    private const double RequiredPercentage = 95;

    /// <summary>Runs the program.</summary>
    /// <returns>The exit code: 0 if enough classes compile, 1 if not, 2 if there is nothing to compile.</returns>
    public static int Run(string[] args)
    {
        var folder = new Argument<DirectoryInfo>("FOLDER") { Description = "A folder with C# code that uses TorchSharp." };
        var report = new Option<FileInfo?>("--report") { Description = "Write what was found to this Markdown file." };
        var attribute = new Option<string>("--attribute")
        {
            Description = "The attribute that each module class gets.",
            DefaultValueFactory = _ => "global::PeftGen.LoRA(rank: 4, targets: \"all-linear\")",
        };
        var worker = new Option<string?>("--worker") { Hidden = true };
        var skip = new Option<int>("--skip") { Hidden = true };
        var command = new RootCommand("Makes each module class of a folder a root in turn, in memory, tells which ones PeftGen compiles, and runs them with small numbers where it can.") { folder, report, attribute, worker, skip };
        command.SetAction(result =>
        {
            if (result.GetValue(worker) is not { } project)
                return Measure(result.GetRequiredValue(folder), result.GetValue(report), result.GetRequiredValue(attribute));
            Worker.Serve(result.GetRequiredValue(folder).FullName, project, result.GetRequiredValue(attribute), result.GetValue(skip));
            return 0;
        });
        return command.Parse(args).Invoke();
    }

    private static int Measure(DirectoryInfo folder, FileInfo? report, string attribute)
    {
        if (!folder.Exists)
        {
            Console.Error.WriteLine($"{folder}: no such folder.");
            return 2;
        }

        var results = new List<ProjectResult>();
        foreach (var project in SourceProject.Find(folder.FullName))
        {
            var result = Worker.Measure(folder.FullName, project, attribute);
            if (result.Classes.Count == 0)
                continue;
            results.Add(result);
            Console.Error.WriteLine($"{project.Name}: {result.Classes.Count} module classes");
        }

        if (results.Count == 0)
        {
            Console.Error.WriteLine($"{folder}: found no class in it that derives from torch.nn.Module.");
            return 2;
        }

        var summary = new Summary(results);
        AnsiConsole.Write(summary.ToTable());
        foreach (var finding in summary.Findings)
            Console.WriteLine($"{finding.Count}× {finding.Id} {finding.Place}: {finding.Message}");
        foreach (var trial in summary.Trials)
            Console.WriteLine(trial);
        Console.WriteLine($"In {summary.Sound} of {summary.WithSites} classes with a site nothing is refused: {summary.Percentage:0.0} %; {RequiredPercentage} % are required. As roots, with all that lies below them, {summary.RootPercentage:0.0} % compile. {summary.TrialSentence}");
        if (report is not null)
            File.WriteAllText(report.FullName, MarkdownReport.Of(summary, attribute));
        return summary.Percentage < RequiredPercentage ? 1 : 0;
    }
}
