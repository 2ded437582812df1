using System.Globalization;
using PeftGen.Training;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace PeftGen.QuickStart.Display;

/// <summary>Where a run is shown: a terminal, with colours and a live bar, or a file or pipe, with plain lines.</summary>
internal sealed class Screen
{
    private const int PlainWidth = 160;
    private const int PlainReports = 10;
    private readonly IAnsiConsole _console;
    private readonly bool _isLive;

    private Screen(IAnsiConsole console, bool isLive) => (_console, _isLive) = (console, isLive);

    /// <summary>The process's own output.</summary>
    public static Screen OfConsole()
    {
        if (Console.IsOutputRedirected) return Plain(Console.Out);
        var capabilities = AnsiConsole.Console.Profile.Capabilities;
        return new Screen(AnsiConsole.Console, capabilities.Ansi && capabilities.Interactive);
    }

    /// <summary>Plain lines without control sequences.</summary>
    public static Screen Plain(TextWriter writer)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = AnsiSupport.No,
            ColorSystem = ColorSystemSupport.NoColors,
            Interactive = InteractionSupport.No,
            Enrichment = new ProfileEnrichment { UseDefaultEnrichers = false },
        });
        console.Profile.Capabilities.Unicode = true;
        console.Profile.Width = PlainWidth;
        return new Screen(console, isLive: false);
    }

    /// <summary>Begins a part.</summary>
    public void Heading(string text)
    {
        _console.WriteLine();
        _console.Write(new Markup(Markup.Escape(text), new Style(Color.Aqua, decoration: Decoration.Bold)));
        _console.WriteLine();
    }

    /// <summary>One line.</summary>
    public void Line(string text) => _console.WriteLine(text);

    /// <summary>A name and what there is to say of it.</summary>
    public void Fact(string name, string text) => _console.Write(Row(new Markup(Markup.Escape(name), new Style(Color.Grey)), new Text(text)));

    /// <summary>Something that was checked.</summary>
    public void Check(string name, bool holds, string text) => _console.Write(Row(
        new Markup(Markup.Escape(name), new Style(Color.Grey)),
        new Markup($"{(holds ? "[green]✓[/]" : "[red]✗[/]")} {Markup.Escape(text)}")));

    /// <summary>A table.</summary>
    /// <param name="heads">The columns' heads; those that begin with <c>&gt;</c> hold numbers.</param>
    /// <param name="rows">The cells, as plain text.</param>
    /// <param name="footer">The last row; null: none.</param>
    public void Table(IReadOnlyList<string> heads, IEnumerable<IReadOnlyList<string>> rows, IReadOnlyList<string>? footer = null)
    {
        var table = new Table { Border = TableBorder.Rounded, ShowFooters = footer is not null };
        for (var column = 0; column < heads.Count; column++)
        {
            var isNumber = heads[column].StartsWith('>');
            table.AddColumn(new TableColumn(new Text(heads[column].TrimStart('>')))
            {
                Alignment = isNumber ? Justify.Right : Justify.Left,
                NoWrap = true,
                Footer = footer is null ? null : new Text(footer[column]),
            });
        }
        foreach (var row in rows) table.AddRow(row.Select(cell => new Text(cell)));
        _console.Write(table);
    }

    /// <summary>Shows a training while it runs.</summary>
    /// <param name="steps">How many steps it has.</param>
    /// <param name="train">The training; it is handed what to tell its progress to.</param>
    public T Train<T>(int steps, Func<Action<TrainingProgress>, T> train)
    {
        if (!_isLive) return train(ShowPlainly);
        return _console.Progress()
            .Columns(new SpinnerColumn(), new ProgressBarColumn(), new TaskDescriptionColumn { Alignment = Justify.Left })
            .Start(context =>
            {
                var task = context.AddTask("starting", maxValue: steps);
                return train(progress =>
                {
                    task.Value = progress.Step;
                    task.Description = Describe(progress);
                });
            });
    }

    private void ShowPlainly(TrainingProgress progress)
    {
        if (progress.Step == 1 || progress.Step == progress.Steps || progress.Step * PlainReports / progress.Steps != (progress.Step - 1) * PlainReports / progress.Steps)
            Line(Describe(progress));
    }

    private static string Describe(TrainingProgress progress) => string.Create(
        CultureInfo.InvariantCulture,
        $"step {progress.Step.ToString(CultureInfo.InvariantCulture).PadLeft(progress.Steps.ToString(CultureInfo.InvariantCulture).Length)} of {progress.Steps}   loss {progress.RecentLoss:0.0000}   {progress.Elapsed.TotalSeconds:0.0} s");

    private static Grid Row(IRenderable name, IRenderable text) => new Grid()
        .AddColumn(new GridColumn { Width = 12, NoWrap = true, Padding = new Padding(0, 0, 2, 0) })
        .AddColumn(new GridColumn { Padding = new Padding(0) })
        .AddRow(name, text);
}
