using System.Text;

namespace PeftGen.RealCode;

/// <summary>The results as Markdown.</summary>
internal static class MarkdownReport
{
    /// <summary>The whole file.</summary>
    public static string Of(Summary summary, string attribute)
    {
        var text = new StringBuilder();
        Line($"# Real code");
        Line($"");
        Line($"Each module class was a root once, with `[{attribute.Replace("global::", "", StringComparison.Ordinal)}]`. In {summary.Sound} of {summary.WithSites} classes with a site nothing is refused ({summary.Percentage:0.0} %); as roots, with all that lies below them, {summary.RootPercentage:0.0} % compile. {summary.TrialSentence}");
        Line($"");
        Line($"| {string.Join(" | ", Summary.Columns)} |");
        Line($"|{string.Concat(Summary.Columns.Select((_, i) => i == 0 ? " --- |" : " ---: |"))}");
        foreach (var row in summary.Rows())
            Line($"| {string.Join(" | ", row)} |");
        Line($"");
        Line($"## What is left");
        Line($"");
        Line($"| Id | Place | Roots | Message |");
        Line($"| --- | --- | ---: | --- |");
        foreach (var f in summary.Findings)
            Line($"| {f.Id} | {f.Place} | {f.Count} | {f.Message.Replace("|", "\\|", StringComparison.Ordinal).ReplaceLineEndings(" ")} |");
        Line($"");
        Line($"## Classes that do not compile");
        Line($"");
        foreach (var c in summary.Projects.SelectMany(p => p.Classes).Where(c => c.Outcome is Outcome.Refused or Outcome.Broken))
            Line($"- `{c.Name}`: {c.Outcome.ToString().ToLowerInvariant()}");
        Line($"");
        Line($"## What did not run");
        Line($"");
        foreach (var trial in summary.Trials)
            Line($"- {trial}");
        return text.ToString();

        void Line(FormattableString line) => text.Append(FormattableString.Invariant(line)).Append('\n');
    }
}
