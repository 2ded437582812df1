using System.Globalization;
using PeftGen.Tests.Tiny;

namespace PeftGen.Tests.Adapters;

/// <summary>What an adapter says of itself.</summary>
public sealed class ParameterReportTests
{
    [Fact]
    public void The_report_groups_layers_and_sums_up()
    {
        var model = new TinyModel();
        var adapter = model.CreateAdapter(1, new Delta("up,head.out"), new Prefix(250, "blocks.0,blocks.1"));
        var report = adapter.ParameterReport(model);
        Assert.Equal(
            [("Delta", "up.delta", 2, 96L), ("Delta", "out.delta", 1, 15), ("Prefix", "values", 1, 3000)],
            report.Rows.Select(row => (row.Method, row.Name, row.Count, row.Numbers)));
        Assert.Equal(3111, report.Trained);
        Assert.Equal(3111, report.Stored);
        Assert.Equal(397, report.Base);
        Assert.Equal(100.0 * 3111 / 397, report.Percent, 9);
    }

    [Fact]
    public void The_table_is_aligned_and_the_same_in_every_culture()
    {
        var model = new TinyModel();
        var adapter = model.CreateAdapter(1, new Delta("up,head.out"), new Prefix(250, "blocks.0,blocks.1"));
        var culture = CultureInfo.CurrentCulture;
        CultureInfo.CurrentCulture = new CultureInfo("de-DE");
        try
        {
            Assert.Equal(
                """
                method   parameter   shape         count   numbers
                ──────   ─────────   ───────────   ─────   ───────
                Delta    up.delta    [8, 6]          2 ×        96
                Delta    out.delta   [3, 5]          1 ×        15
                Prefix   values      [2, 250, 6]     1 ×     3,000

                trained  3,111   783.63 % of the base
                stored   3,111   in the adapter's file
                base       397   TinyModel
                """, adapter.ParameterReport(model).ToString());
        }
        finally
        {
            CultureInfo.CurrentCulture = culture;
        }
    }

    [Fact]
    public void A_composition_reports_its_parts_methods()
    {
        var model = new TinyModel();
        var a = model.CreateAdapter(1, new Delta("up"), new Prefix(2, "blocks.0"));
        var b = model.CreateAdapter(2, new Delta("up"), new Shift("blocks.1"));
        foreach (var report in (ParameterReport[])[Stack.Of(a, b).ParameterReport(model), Rows.Of(a, null, b).ParameterReport(model)])
        {
            Assert.Equal(["Delta", "Prefix", "Shift"], report.Rows.Select(row => row.Method).Distinct().Order(StringComparer.Ordinal));
            Assert.Equal(a.ParameterReport(model).Trained + b.ParameterReport(model).Trained, report.Trained);
            Assert.Equal(report.Trained, report.Stored);
        }
    }
}
