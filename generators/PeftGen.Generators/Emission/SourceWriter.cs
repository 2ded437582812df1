using System.Text;

namespace PeftGen.Generators.Emission;

/// <summary>Writes indented lines.</summary>
internal sealed class SourceWriter
{
    private readonly StringBuilder _text = new();
    private int _depth;

    public SourceWriter Line(string line = "")
    {
        if (line.Length > 0)
            _text.Append(' ', _depth * 4).Append(line);
        _text.Append('\n');
        return this;
    }

    /// <summary>Writes text as it stands, without indentation.</summary>
    public SourceWriter Raw(string text)
    {
        _text.Append(text);
        return this;
    }

    public SourceWriter Open(string header)
    {
        Line(header);
        Line("{");
        _depth++;
        return this;
    }

    public SourceWriter Close(string end = "}")
    {
        _depth--;
        return Line(end);
    }

    /// <summary>Writes lines one step further in.</summary>
    public SourceWriter Indented(string line)
    {
        _depth++;
        Line(line);
        _depth--;
        return this;
    }

    /// <summary>The blanks with which a line here begins.</summary>
    public string Indentation(int further) => new(' ', (_depth + further) * 4);

    public override string ToString() => _text.ToString();
}
