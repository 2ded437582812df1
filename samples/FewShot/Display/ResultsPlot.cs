using System.Globalization;
using PeftGen.FewShot.Experiments;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace PeftGen.FewShot.Display;

/// <summary>Draws accuracy over the number of trained parameters, a line for each size of the training set.</summary>
internal static class ResultsPlot
{
    private const int Width = 1040, Height = 600;

    // Names stand slanted above all points, so that neighbours' do not meet.
    private const float Slant = -35;
    private const double NameHeight = 1, Headroom = 11, Footroom = 2;

    private static readonly Color Ink = Color.FromHex("#33415C");
    private static readonly Color[] Shades = [Color.FromHex("#E0A030"), Color.FromHex("#3A8F6F"), Color.FromHex("#1F5FBF"), Color.FromHex("#8A4FBF")];

    /// <summary>Writes a PNG.</summary>
    public static void Save(Summary summary, string path)
    {
        using var plot = new Plot();
        var rows = summary.Rows.OrderBy(row => row.Trained).ToList();
        for (var size = 0; size < summary.Sizes.Count; size++)
            Draw(plot, rows, summary.Sizes[size], Shades[size % Shades.Length]);
        var found = rows.SelectMany(row => row.Accuracies.Values.OfType<Accuracy>()).ToList();
        foreach (var row in rows)
        {
            var name = plot.Add.Text(row.Title, Math.Log10(row.Trained), found.Max(Top) + NameHeight);
            (name.LabelFontSize, name.LabelFontColor, name.LabelRotation, name.LabelAlignment) = (13, Ink, Slant, Alignment.LowerLeft);
        }
        plot.Axes.SetLimits(Math.Log10(rows[0].Trained) - 0.3, Math.Log10(rows[^1].Trained) + 1, found.Min(Bottom) - Footroom, found.Max(Top) + Headroom);
        Style(plot);
        plot.SavePng(path, Width, Height);
    }

    private static void Draw(Plot plot, IReadOnlyList<SummaryRow> rows, int size, Color color)
    {
        var own = rows.Where(row => row.Accuracies[size] is not null).Select(row => (X: Math.Log10(row.Trained), Accuracy: row.Accuracies[size]!)).ToList();
        double[] x = [.. own.Select(point => point.X)], y = [.. own.Select(point => 100 * point.Accuracy.Mean)];
        var line = plot.Add.Scatter(x, y, color);
        (line.LineWidth, line.MarkerSize, line.LegendText) = (2, 9, $"K = {size.ToString("N0", CultureInfo.InvariantCulture)}");
        var spread = plot.Add.ErrorBar(x, y, [.. own.Select(point => 100 * (point.Accuracy.Deviation ?? 0))]);
        (spread.Color, spread.LineWidth) = (color, 1.5f);
    }

    private static double Top(Accuracy accuracy) => 100 * (accuracy.Mean + (accuracy.Deviation ?? 0));

    private static double Bottom(Accuracy accuracy) => 100 * (accuracy.Mean - (accuracy.Deviation ?? 0));

    private static void Style(Plot plot)
    {
        plot.Font.Set(Fonts.Sans);
        plot.Axes.Title.Label.Text = "Sentiment of sentences after training on K of them";
        plot.Axes.Title.Label.FontSize = 20;
        plot.Axes.Bottom.Label.Text = "trained parameters";
        plot.Axes.Left.Label.Text = "accuracy in %, mean and standard deviation over seeds";
        foreach (var label in new[] { plot.Axes.Bottom.Label, plot.Axes.Left.Label }) (label.FontSize, label.Bold) = (15, false);
        foreach (var axis in new IAxis[] { plot.Axes.Bottom, plot.Axes.Left }) axis.TickLabelStyle.FontSize = 13;
        plot.Axes.Bottom.TickGenerator = new NumericAutomatic
        {
            IntegerTicksOnly = true,
            MinorTickGenerator = new LogMinorTickGenerator(),
            LabelFormatter = power => Math.Pow(10, power).ToString("N0", CultureInfo.InvariantCulture),
        };
        plot.Axes.Color(Ink);
        (plot.Axes.Top.IsVisible, plot.Axes.Right.IsVisible) = (false, false);
        plot.Grid.MajorLineColor = Ink.WithAlpha(0.12);
        plot.Legend.OutlineColor = plot.Legend.ShadowColor = Colors.Transparent;
        (plot.Legend.FontSize, plot.Legend.FontColor) = (14, Ink);
        plot.ShowLegend(Alignment.LowerRight);
    }
}
