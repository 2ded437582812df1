using System.Diagnostics;
using System.Text.Json;

namespace PeftGen.RealCode;

/// <summary>Measures a project in a process of its own, so that a crash is a row and not the end.</summary>
internal static class Worker
{
    private static readonly TimeSpan _perClass = TimeSpan.FromMinutes(3);

    /// <summary>What a worker tells, a line each: how many errors a project has, a class that begins, a class that is done.</summary>
    private sealed record Line(string? Begins = null, ClassResult? Done = null, int? BaselineErrors = null, string? Note = null);

    /// <summary>Measures one project and writes lines to the standard output.</summary>
    public static void Serve(string folder, string project, string attribute, int skip)
    {
        Tell(new Line());
        ProjectRun.Run(
            SourceProject.Find(folder).First(p => p.Name == project), attribute, skip, (errors, note) => Tell(new Line(BaselineErrors: errors, Note: note)), name => Tell(new Line(name)), done => Tell(new Line(Done: done)));
    }

    /// <summary>Has a project measured; what a worker does not survive is a class that crashed.</summary>
    public static ProjectResult Measure(string folder, SourceProject project, string attribute)
    {
        var classes = new List<ClassResult>();
        var (errors, note) = (0, project.Note);
        while (true)
        {
            string? begun = null;
            var end = Run(folder, project.Name, attribute, classes.Count, line =>
            {
                (errors, note) = (line.BaselineErrors ?? errors, line.Note ?? note);
                begun = line.Begins ?? (line.Done is null ? begun : null);
                if (line.Done is { } done)
                    classes.Add(done);
            });
            if (end is null)
                return new ProjectResult(project.Name, errors, classes, note);
            var crash = new Finding("crash", begun ?? project.Name, end, true);
            if (begun is null)
                return new ProjectResult(project.Name, errors, [.. classes, new ClassResult(project.Name, [], 0, [crash])], note);
            classes.Add(new ClassResult(begun, [], 0, [crash]));
        }
    }

    /// <returns>How it ended; null where it came to its end.</returns>
    private static string? Run(string folder, string project, string attribute, int skip, Action<Line> heard)
    {
        var start = new ProcessStartInfo("dotnet")
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            ArgumentList = { "exec", typeof(Worker).Assembly.Location, folder, "--attribute", attribute, "--worker", project, "--skip", $"{skip}" },
        };
        using var process = Process.Start(start)!;
        var said = "";
        process.ErrorDataReceived += (_, e) => said = said.Length < 300 && e.Data is { Length: > 0 } line ? $"{said} {line.Trim()}" : said;
        process.BeginErrorReadLine();
        while (true)
        {
            var next = process.StandardOutput.ReadLineAsync();
            if (!next.Wait(_perClass))
            {
                process.Kill(entireProcessTree: true);
                return $"did not end within {_perClass.TotalMinutes} minutes";
            }

            if (next.Result is not { } text)
                break;
            if (text.StartsWith('{'))
                heard(JsonSerializer.Deserialize<Line>(text)!);
        }

        process.WaitForExit();
        return process.ExitCode == 0 ? null : $"the process ended with {process.ExitCode}:{said}";
    }

    private static void Tell(Line line) => Console.WriteLine(JsonSerializer.Serialize(line));
}
