using System.Globalization;
using PeftGen.FewShot.Experiments;
using PeftGen.QuickStart.Display;

namespace PeftGen.FewShot.Display;

/// <summary>The table of all results, on the screen and in Markdown.</summary>
internal static class ResultsTable
{
    /// <summary>Shows it.</summary>
    public static void Show(Screen screen, Summary summary) => screen.Table(
        ["method", ">trained", .. summary.Sizes.Select(k => $">K = {k.ToString("N0", CultureInfo.InvariantCulture)}"), ">s a step", ">processor s"], summary.Rows.Select(row => Cells(row, summary.Sizes)));

    /// <summary>Writes it as Markdown.</summary>
    public static void Save(Summary summary, string path)
    {
        string[] heads = ["method", "trained", .. summary.Sizes.Select(k => $"K = {k.ToString("N0", CultureInfo.InvariantCulture)}"), "s a step", "processor s"];
        File.WriteAllLines(path, [Line(heads), Line(heads.Select((_, column) => column == 0 ? "---" : "---:")), .. summary.Rows.Select(row => Line(Cells(row, summary.Sizes)))]);
    }

    private static string[] Cells(SummaryRow row, IEnumerable<int> sizes) =>
        [row.Title, row.Trained.ToString("N0", CultureInfo.InvariantCulture), .. sizes.Select(k => Cell(row.Accuracies[k])), Seconds(row.SecondsPerStep), Seconds(row.ProcessorSecondsPerStep)];

    private static string Cell(Accuracy? accuracy) => accuracy is null ? "" : Percent(accuracy.Mean) + (accuracy.Deviation is { } deviation ? $" ± {Percent(deviation)}" : "");

    private static string Seconds(double seconds) => seconds.ToString("0.000", CultureInfo.InvariantCulture);

    private static string Percent(double part) => (100 * part).ToString("0.0", CultureInfo.InvariantCulture);

    private static string Line(IEnumerable<string> cells) => $"| {string.Join(" | ", cells)} |";
}
