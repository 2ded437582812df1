using System.Globalization;
using PeftGen.Training;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace PeftGen.QuickStart.Display;

/// <summary>Draws the losses of a training.</summary>
internal static class LossCurvePlot
{
    private const int Width = 960, Height = 540, RightMargin = 24;

    // From here on a linear axis would press most of the curve onto its bottom.
    private const double LogarithmicFrom = 20;

    // Of all steps, the part that is averaged over.
    private const double Smoothing = 0.015;

    private static readonly Color Ink = Color.FromHex("#33415C");
    private static readonly Color Pale = Color.FromHex("#9DB4D6");
    private static readonly Color Strong = Color.FromHex("#1F5FBF");

    /// <summary>Writes a PNG.</summary>
    /// <param name="curve">The losses; at least one.</param>
    /// <param name="title">What was trained.</param>
    /// <param name="path">The file; its folder is created where it is missing.</param>
    public static void Save(LossCurve curve, string title, string path)
    {
        var steps = Enumerable.Range(1, curve.Losses.Count).Select(step => (double)step).ToArray();
        var smallest = curve.Losses.Min();
        var isLogarithmic = smallest > 0 && curve.Losses.Max() / smallest > LogarithmicFrom;
        double[] heights = [.. isLogarithmic ? curve.Losses.Select(Math.Log10) : curve.Losses];

        using var plot = new Plot();
        var each = plot.Add.ScatterLine(steps, heights, Pale.WithAlpha(0.7));
        each.LineWidth = 1;
        each.LegendText = "each batch";
        var course = plot.Add.ScatterLine(steps, LossCurve.Smooth(heights, Math.Max(1, steps.Length * Smoothing)), Strong);
        course.LineWidth = 3;
        course.LegendText = "smoothed";
        plot.Axes.Margins(0.01, 0.06);
        if (isLogarithmic) UseLogarithmicTicks(plot);
        else plot.Axes.SetLimitsY(0, curve.Losses.Max() * 1.06);
        Style(plot, title, isLogarithmic);

        if (Path.GetDirectoryName(path) is { Length: > 0 } folder) Directory.CreateDirectory(folder);
        plot.SavePng(path, Width, Height);
    }

    private static void UseLogarithmicTicks(Plot plot) => plot.Axes.Left.TickGenerator = new NumericAutomatic
    {
        MinorTickGenerator = new LogMinorTickGenerator(),
        IntegerTicksOnly = true,
        LabelFormatter = power => Math.Pow(10, power).ToString("0.######", CultureInfo.InvariantCulture),
    };

    private static void Style(Plot plot, string title, bool isLogarithmic)
    {
        plot.Font.Set(Fonts.Sans);
        plot.Axes.Title.Label.Text = title;
        plot.Axes.Title.Label.FontSize = 20;
        plot.Axes.Bottom.Label.Text = "step";
        plot.Axes.Left.Label.Text = isLogarithmic ? "cross entropy in nats, logarithmic" : "cross entropy in nats";
        foreach (var label in new[] { plot.Axes.Bottom.Label, plot.Axes.Left.Label })
        {
            label.FontSize = 15;
            label.Bold = false;
        }
        foreach (var axis in new IAxis[] { plot.Axes.Bottom, plot.Axes.Left }) axis.TickLabelStyle.FontSize = 13;
        plot.Axes.Color(Ink);
        plot.Axes.Top.IsVisible = false;
        plot.Axes.Right.FrameLineStyle.Width = 0;
        plot.Axes.Right.MinimumSize = RightMargin;
        plot.Grid.MajorLineColor = Ink.WithAlpha(0.12);
        plot.Grid.XAxisStyle.IsVisible = false;
        plot.Legend.OutlineColor = plot.Legend.ShadowColor = Colors.Transparent;
        plot.Legend.FontSize = 14;
        plot.Legend.FontColor = Ink;
        plot.ShowLegend(Alignment.UpperRight);
    }
}
