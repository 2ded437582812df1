using System.Text;

namespace PeftGen;

/// <summary>A table for a terminal whose columns are as wide as what is in them.</summary>
/// <param name="heads">The columns' heads.</param>
/// <param name="rightAligned">How many of the last columns hold numbers.</param>
internal sealed class TextTable(string[] heads, int rightAligned)
{
    private const string Gap = "   ";
    private readonly List<string[]> _rows = [];

    public void Add(params string[] cells) => _rows.Add(cells);

    public override string ToString()
    {
        var widths = heads.Select((head, column) => _rows.Select(row => row[column].Length).Append(head.Length).Max()).ToArray();
        var text = new StringBuilder();
        text.AppendLine(Line(heads, widths));
        text.AppendLine(string.Join(Gap, widths.Select(width => new string('─', width))));
        foreach (var row in _rows)
            text.AppendLine(Line(row, widths));
        return text.ToString();
    }

    private string Line(string[] cells, int[] widths) =>
        string.Join(Gap, cells.Select((cell, column) => column < cells.Length - rightAligned ? cell.PadRight(widths[column]) : cell.PadLeft(widths[column]))).TrimEnd();
}
