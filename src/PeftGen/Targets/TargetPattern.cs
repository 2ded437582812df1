using System.Text.RegularExpressions;

namespace PeftGen;

/// <summary>One target: a name or dotted suffix, with <c>*</c> for one segment and <c>**</c> for any number, or a regular expression.</summary>
/// <remarks>
/// A path may itself contain <c>*</c> segments: the compiler knows that a list has elements but not which. Such a segment matches every
/// index, so a match means "matches for some index".
/// </remarks>
public sealed class TargetPattern
{
    private readonly string[] _segments;
    private readonly Regex? _regex;

    private TargetPattern(string text, string[] segments, Regex? regex)
    {
        Text = text;
        _segments = segments;
        _regex = regex;
    }

    /// <summary>The target as it was written.</summary>
    public string Text { get; }

    /// <summary>Whether the target is a plain name, without dots or wildcards, which a role may stand for.</summary>
    public bool IsName => _regex is null && _segments.Length == 1 && _segments[0].IndexOf('*') < 0;

    /// <summary>Reads a dotted pattern.</summary>
    /// <exception cref="FormatException">A segment is empty or mixes <c>*</c> with other characters.</exception>
    public static TargetPattern Parse(string text)
    {
        var segments = text.Split('.');
        foreach (var segment in segments)
        {
            if (segment.Length == 0)
                throw new FormatException($"'{text}' has an empty segment between dots");
            foreach (var c in segment)
                if (!(char.IsLetterOrDigit(c) || c == '_' || c == '*'))
                    throw new FormatException($"'{text}' contains '{c}'; write names, dots, * and **, or begin with 'regex:'");
            if (segment.IndexOf('*') >= 0 && segment != "*" && segment != "**")
                throw new FormatException($"'{text}' mixes * with letters in '{segment}'; * stands for a whole segment");
        }

        return new TargetPattern(text, segments, null);
    }

    /// <summary>Reads a regular expression, to be matched against the whole path as Python's <c>re.fullmatch</c> does.</summary>
    /// <exception cref="FormatException">The expression is malformed.</exception>
    public static TargetPattern ParseRegex(string expression)
    {
        try
        {
            return new TargetPattern("regex:" + expression, [], new Regex($@"\A(?:{expression})\z", RegexOptions.CultureInvariant));
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"'{expression}' is no regular expression: {e.Message}", e);
        }
    }

    /// <summary>Whether a path matches; see the remarks for <c>*</c> in paths.</summary>
    /// <param name="path">The path from the annotated class, for example <c>model.layers.0.mlp.up_proj</c>.</param>
    public bool Matches(string path)
    {
        if (_regex is not null)
            return IndexSubstitutes(path).Any(_regex.IsMatch);
        var parts = path.Split('.');
        for (var start = 0; start < parts.Length; start++)
            if (MatchesFrom(parts, start, 0))
                return true;
        return false;
    }

    private bool MatchesFrom(string[] parts, int part, int segment)
    {
        for (; segment < _segments.Length; segment++, part++)
        {
            if (_segments[segment] == "**")
            {
                for (var rest = part; rest <= parts.Length; rest++)
                    if (MatchesFrom(parts, rest, segment + 1))
                        return true;
                return false;
            }

            if (part >= parts.Length || !SegmentMatches(_segments[segment], parts[part]))
                return false;
        }

        return part == parts.Length;
    }

    private static bool SegmentMatches(string segment, string part) =>
        segment == "*" || segment == part || (part == "*" && segment.All(char.IsDigit));

    /// <summary>The path with each <c>*</c> segment replaced by numbers: enough of them that an expression that can match some index does.</summary>
    private static IEnumerable<string> IndexSubstitutes(string path)
    {
        var star = IndexOfStar(path, 0);
        if (star < 0)
            return [path];
        var several = IndexOfStar(path, star + 1) >= 0;
        return Enumerable.Range(0, several ? 12 : 128)
            .SelectMany(i => IndexSubstitutes(path.Substring(0, star) + i.ToString(System.Globalization.CultureInfo.InvariantCulture) + path.Substring(star + 1)));
    }

    private static int IndexOfStar(string path, int from)
    {
        for (var i = path.IndexOf('*', from); i >= 0; i = path.IndexOf('*', i + 1))
            if ((i == 0 || path[i - 1] == '.') && (i + 1 == path.Length || path[i + 1] == '.'))
                return i;
        return -1;
    }

    /// <inheritdoc/>
    public override string ToString() => Text;
}
