namespace PeftGen;

/// <summary>One target: a name or dotted suffix, with <c>*</c> for any characters of a segment and <c>**</c> for any number of segments, or a regular expression.</summary>
/// <remarks>
/// What stands in single quotes is taken as it is: <c>langs.'en de'</c>; a name in quotes is never a role. A path may itself contain <c>*</c> segments:
/// the compiler knows that a list has elements but not which. Such a segment matches every index, so a match means "matches for some index".
/// </remarks>
public sealed class TargetPattern
{
    private readonly TargetSegment[] _segments;
    private readonly PathExpression? _expression;

    private TargetPattern(string text, TargetSegment[] segments, PathExpression? expression)
    {
        Text = text;
        _segments = segments;
        _expression = expression;
    }

    /// <summary>The target as it was written.</summary>
    public string Text { get; }

    /// <summary>Whether the target is a plain name, without dots or wildcards, which a role may stand for.</summary>
    public bool IsName => _expression is null && _segments is [{ Name: not null, IsQuoted: false }];

    /// <summary>The name or dotted suffix that the target is; null: it has wildcards, or is a regular expression.</summary>
    internal string? Name => _expression is null && _segments.All(s => s.Name is not null) ? string.Join(".", _segments.Select(s => s.Name)) : null;

    /// <summary>What a path has to end with, from any character on: that of a target with one star, before a name. Null: it is another.</summary>
    internal string? End => _expression is null && _segments[0].End is { } end && _segments.Skip(1).All(s => s.Name is not null) ? string.Join(".", _segments.Skip(1).Select(s => s.Name).Prepend(end)) : null;

    /// <summary>Reads a dotted pattern.</summary>
    /// <exception cref="FormatException">A segment is empty, or a character has to stand in quotes.</exception>
    public static TargetPattern Parse(string text) => new(text, TargetSegment.ReadAll(text), null);

    /// <summary>Reads a regular expression, to be matched against the whole path as Python's <c>re.fullmatch</c> does.</summary>
    /// <remarks>The time is that of the path's length, whatever the expression. References to groups and possessive or atomic parts are not supported.</remarks>
    /// <exception cref="FormatException">The expression is malformed, or has what is not supported.</exception>
    public static TargetPattern ParseRegex(string expression) => new("regex:" + expression, [], PathExpression.Parse(expression));

    /// <summary>How many modules, one in another, the pattern can name.</summary>
    internal int Depth => _expression is null ? _segments.Length : Text.Count(c => c == '.') + Text.Split('{', ',', '}').Select(n => int.TryParse(n, out var count) ? count : 0).Max();

    /// <summary>Whether a path matches; see the remarks for <c>*</c> in paths.</summary>
    /// <param name="path">The path from the annotated class, for example <c>model.layers.0.mlp.up_proj</c>.</param>
    public bool Matches(string path) => _expression?.MatchesSome(path) ?? MatchesSegments(path.Split('.'));

    /// <summary>Whether a path matches whatever its indices are, which <c>*</c> stands for.</summary>
    internal bool MatchesAll(string path) => _expression?.MatchesAll(path) ?? MatchesSegments(path.Replace('*', '#').Split('.'));

    /// <summary>Whether the pattern is the end of a path. Each <c>**</c> takes as little as it can, so the time is at most that of both lengths multiplied.</summary>
    private bool MatchesSegments(string[] parts)
    {
        // What stands before the end is free, as if the pattern began with **.
        var (part, segment, free, taken) = (0, 0, 0, 0);
        while (part < parts.Length)
        {
            if (segment < _segments.Length && _segments[segment].IsAnyNumber)
                (free, taken) = (++segment, part);
            else if (segment < _segments.Length && _segments[segment].Matches(parts[part]))
                (segment, part) = (segment + 1, part + 1);
            else
                (segment, part) = (free, ++taken);
        }

        return _segments.Skip(segment).All(s => s.IsAnyNumber);
    }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
