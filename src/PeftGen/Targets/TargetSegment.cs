namespace PeftGen;

/// <summary>One segment of a dotted target: literal text with <c>*</c> for any characters, or <c>**</c> for any number of segments.</summary>
internal sealed class TargetSegment
{
    /// <summary>In the path of a candidate: an index that is not known.</summary>
    public const string AnyIndex = "*";

    private readonly IReadOnlyList<string> _pieces;

    private TargetSegment(IReadOnlyList<string> pieces, bool isAnyNumber, bool isQuoted) => (_pieces, IsAnyNumber, IsQuoted) = (pieces, isAnyNumber, isQuoted);

    /// <summary>Whether it stands for any number of segments.</summary>
    public bool IsAnyNumber { get; }

    /// <summary>Whether a part of it stands in quotes.</summary>
    public bool IsQuoted { get; }

    /// <summary>The name that it is; null: it has wildcards.</summary>
    public string? Name => !IsAnyNumber && _pieces.Count == 1 ? _pieces[0] : null;

    /// <summary>What a name has to end with; null: it is no star before a name.</summary>
    public string? End => !IsAnyNumber && _pieces.Count == 2 && _pieces[0].Length == 0 && _pieces[1].Length > 0 ? _pieces[1] : null;

    /// <summary>Reads all segments of a target.</summary>
    /// <exception cref="FormatException">A segment is empty, a quote does not end, or a character has to stand in quotes.</exception>
    public static TargetSegment[] ReadAll(string text)
    {
        var segments = new List<TargetSegment>();
        var pieces = new List<string> { "" };
        var (quoted, wasQuoted, stars) = (false, false, 0);
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '\'')
            {
                var isDoubled = quoted && i + 1 < text.Length && text[i + 1] == '\'';
                if (isDoubled)
                    Add(text[++i]);
                else
                    quoted = !quoted;
                wasQuoted = true;
            }
            else if (c == '.')
            {
                End();
            }
            else if (c == '*' && !quoted)
            {
                pieces.Add("");
                stars++;
            }
            else if (quoted || TargetNames.IsPlain(c))
            {
                Add(c);
            }
            else
            {
                throw new FormatException($"'{text}' contains '{c}'; write names, dots, * and **, a name with other characters in single quotes, or begin with 'regex:'");
            }
        }

        if (quoted)
            throw new FormatException($"{text} has a quote that does not end; write 'name', and '' for a quote in a name");
        End();
        return [.. segments];

        void Add(char c) => pieces[pieces.Count - 1] += c;

        void End()
        {
            var isAnyNumber = stars == 2 && pieces.All(p => p.Length == 0) && !wasQuoted;
            if (stars == 0 && pieces[0].Length == 0 && !wasQuoted)
                throw new FormatException($"'{text}' has an empty segment between dots");
            segments.Add(new TargetSegment([.. pieces], isAnyNumber, wasQuoted));
            pieces = [""];
            (wasQuoted, stars) = (quoted, 0);
        }
    }

    /// <summary>Whether a segment of a path is meant; of one that is not known, whether it may be.</summary>
    public bool Matches(string part)
    {
        if (part == AnyIndex)
            return _pieces.All(piece => piece.All(char.IsDigit));
        if (_pieces.Count == 1)
            return part == _pieces[0];
        var last = _pieces[_pieces.Count - 1];
        if (!part.StartsWith(_pieces[0], StringComparison.Ordinal) || !part.EndsWith(last, StringComparison.Ordinal) || part.Length < _pieces[0].Length + last.Length)
            return false;
        var at = _pieces[0].Length;
        foreach (var piece in _pieces.Skip(1).Take(_pieces.Count - 2))
        {
            at = part.IndexOf(piece, at, part.Length - last.Length - at, StringComparison.Ordinal) is >= 0 and var found ? found + piece.Length : int.MaxValue;
            if (at > part.Length)
                return false;
        }

        return true;
    }
}
