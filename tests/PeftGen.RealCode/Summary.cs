using PeftGen.RealCode.Trials;
using Spectre.Console;

namespace PeftGen.RealCode;

/// <summary>A finding with the number of roots that meet it.</summary>
internal sealed record CountedFinding(string Id, string Place, string Message, int Count);

/// <summary>The results of all projects together.</summary>
/// <param name="Projects">The projects with module classes.</param>
internal sealed record Summary(IReadOnlyList<ProjectResult> Projects)
{
    /// <summary>The heads of the table's columns.</summary>
    public static IReadOnlyList<string> Columns { get; } = ["Project", "Module classes", "No site", "Compiled", "Refused", "Broken", "Tried", "Run", "Errors without PeftGen"];

    /// <summary>The classes with a site.</summary>
    public int WithSites => Projects.Sum(p => p.WithSites.Count);

    /// <summary>Of these, the classes in which nothing is refused or broken.</summary>
    public int Sound => Projects.Sum(p => p.Sound.Count);

    /// <summary>Of the classes with a site, those in which nothing is refused, of a hundred.</summary>
    public double Percentage => WithSites == 0 ? 100 : 100.0 * Sound / WithSites;

    /// <summary>Of the classes with a site, those that compile as roots with all that lies below them, of a hundred.</summary>
    public double RootPercentage => WithSites == 0 ? 100 : 100.0 * Projects.Sum(p => p.Count(Outcome.Compiled)) / WithSites;

    /// <summary>What is wrong, each place once; the worst first.</summary>
    public IReadOnlyList<CountedFinding> Findings => [.. Projects.SelectMany(p => p.Classes)
        .Where(c => c.Outcome != Outcome.NoSite)
        .SelectMany(c => c.Findings.Distinct())
        .GroupBy(f => (f.Id, f.Place, f.Message))
        .Select(g => new CountedFinding(g.Key.Id, g.Key.Place, g.Key.Message, g.Count()))
        .OrderBy(f => f.Id.StartsWith("PG", StringComparison.Ordinal)).ThenBy(f => f.Id, StringComparer.Ordinal).ThenBy(f => f.Place, StringComparer.Ordinal)];

    /// <summary>The rows of the table, and one for the whole.</summary>
    public IEnumerable<IReadOnlyList<string>> Rows()
    {
        foreach (var p in Projects)
            yield return Row(p.Name, [p]);
        yield return Row("All", Projects);
    }

    /// <summary>The table for the console.</summary>
    public Table ToTable()
    {
        var table = new Table();
        table.AddColumns([.. Columns]);
        foreach (var row in Rows())
            table.AddRow([.. row.Select(Markup.Escape)]);
        return table;
    }

    /// <summary>What did not run, a line each.</summary>
    public IEnumerable<string> Trials => Projects.Where(p => p.Note is not null).Select(p => $"{p.Name}: {p.Note}")
        .Concat(Projects.SelectMany(p => p.Classes).Where(c => c.Trial is { Outcome: not TrialOutcome.Runs }).Select(c => $"{c.Trial!.Outcome} {c.Name}: {c.Trial.Message}"));

    /// <summary>How many ran.</summary>
    public string TrialSentence
    {
        get
        {
            int tried = Projects.Sum(Tried), run = Projects.Sum(p => p.Count(TrialOutcome.Runs));
            var same = Projects.SelectMany(p => p.Classes).Count(c => c.Trial is { Outcome: TrialOutcome.Runs, StartsAsBase: true });
            return $"Of {tried} that could be made and run, {run} run with an adapter, learn, merge and load; {same} of them start as the base, bit for bit.";
        }
    }

    private static int Tried(ProjectResult project) => project.Classes.Count(c => c.Trial is { Outcome: not TrialOutcome.NotTried });

    private static IReadOnlyList<string> Row(string name, IReadOnlyList<ProjectResult> projects)
    {
        string Count(Outcome outcome) => $"{projects.Sum(p => p.Count(outcome))}";
        return [name, $"{projects.Sum(p => p.Classes.Count)}", Count(Outcome.NoSite), Count(Outcome.Compiled), Count(Outcome.Refused), Count(Outcome.Broken),
            $"{projects.Sum(Tried)}", $"{projects.Sum(p => p.Count(TrialOutcome.Runs))}", $"{projects.Sum(p => p.BaselineErrors)}"];
    }
}
