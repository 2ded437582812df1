using System.Text;
using System.Text.RegularExpressions;
using Microsoft.CodeAnalysis.Text;

namespace PeftGen.Generators.Rewriting;

/// <summary>Edits of a text that only insert, or replace punctuation between expressions; so edits within the expressions nest.</summary>
internal sealed class TextEdits
{
    private static readonly Regex _lineBreaks = new(@"\r?\n[ \t]*", RegexOptions.CultureInvariant);
    private readonly List<TextChange> _edits = [];

    public void Insert(int position, string text) => _edits.Add(new TextChange(new TextSpan(position, 0), text));

    public void Replace(int from, int to, string text) => _edits.Add(new TextChange(TextSpan.FromBounds(from, to), text));

    /// <summary>Takes out what stands between tokens, unless an edit does so already.</summary>
    public void Blank(TextSpan span)
    {
        if (!_edits.Any(edit => edit.Span.Contains(span)))
            _edits.Add(new TextChange(span, ""));
    }

    /// <summary>The edited text; every line stays the line that it was.</summary>
    /// <param name="text">The text.</param>
    /// <param name="start">Where it stands in the file for which the edits were made.</param>
    public string Apply(string text, int start)
    {
        var result = new StringBuilder();
        var position = start;
        // Insertions at one place keep the order in which outer calls come before inner ones.
        foreach (var edit in _edits.Select((e, i) => (e, i)).OrderBy(p => p.e.Span.Start).ThenBy(p => p.e.Span.Length).ThenBy(p => p.i).Select(p => p.e))
        {
            result.Append(text, position - start, edit.Span.Start - position).Append(edit.NewText);
            // What follows stays on its line.
            foreach (Match lineBreak in _lineBreaks.Matches(text.Substring(edit.Span.Start - start, edit.Span.Length)))
                result.Append(lineBreak.Value);
            position = edit.Span.End;
        }

        return result.Append(text, position - start, text.Length - (position - start)).ToString();
    }
}
