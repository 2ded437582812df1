using System.Globalization;

namespace PeftGen.QuickStart.Display;

/// <summary>Shows what an adapter trains.</summary>
internal static class AdapterTable
{
    /// <summary>The adapter's parameters beside the base's.</summary>
    public static void Show(Screen screen, ParameterReport report)
    {
        screen.Table(
            ["method", "parameter", "shape", ">count", ">numbers"],
            report.Rows.Select(row => new[] { row.Method, row.Name, $"[{string.Join(", ", row.Shape)}]", Number(row.Count), Number(row.Numbers) }),
            ["", "", "", "trained", Number(report.Trained)]);
        screen.Fact("trains", string.Create(CultureInfo.InvariantCulture, $"{report.Trained:N0} numbers beside the base's {report.Base:N0}: {report.Percent:0.00} %"));
    }

    private static string Number(long number) => number.ToString("N0", CultureInfo.InvariantCulture);
}
