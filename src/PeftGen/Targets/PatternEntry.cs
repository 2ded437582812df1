using System.Globalization;
using System.Text.RegularExpressions;

namespace PeftGen;

/// <summary>
/// A number for some paths, of a list such as <c>down_proj=6, layers.0.self_attn.q_proj=2</c>; HF PEFT's <c>rank_pattern</c> and <c>alpha_pattern</c>. A key is a regular expression that has to
/// match the end of a path, so a comma ends an entry only behind a number; one that would be mistaken stands in single quotes.
/// </summary>
/// <param name="Key">The key as it was written.</param>
/// <param name="Value">The number.</param>
/// <param name="Path">What the key matches.</param>
/// <param name="Start">The key's first character in the list's text.</param>
internal sealed record PatternEntry(string Key, double Value, PathExpression Path, int Start)
{
    private static readonly Regex Number = new(@"\G\s*(?<value>[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*(?:,|$)", RegexOptions.CultureInvariant);

    /// <summary>An entry of a list.</summary>
    /// <param name="key">The key.</param>
    /// <param name="value">The number.</param>
    public static string Write(string key, string value)
    {
        var plain = $"{key}={value}";
        return TryParse(plain, out var entries, out _) && entries is [var only] && only.Key == key ? plain : $"'{key.Replace("'", "''")}'={value}";
    }

    /// <summary>Reads a list.</summary>
    /// <param name="text">The text; empty: no entries.</param>
    /// <param name="entries">The entries, if there is no error.</param>
    /// <param name="error">What is wrong and where in the text.</param>
    public static bool TryParse(string text, out List<PatternEntry> entries, out TargetError error)
    {
        entries = [];
        error = default;
        for (var at = 0; text.Substring(at).Trim().Length > 0;)
        {
            var start = text.Length - text.Substring(at).TrimStart().Length;
            if (NumberBehindKey(text, start) is not { } number)
            {
                var rest = text.Substring(start).TrimEnd();
                error = new TargetError(start, rest.Length, $"the pattern '{rest}' is none, expected a name, '=' and a number: 'down_proj=6'");
                return false;
            }

            var key = text.Substring(start, text.LastIndexOf('=', number.Index) - start).TrimEnd();
            if (EndOfQuote(text, start) is { } close)
                key = text.Substring(start + 1, close - start - 1).Replace("''", "'");
            try
            {
                // By itself first: what closes a group of its own must not open one of ours.
                PathExpression.Parse(key);
                entries.Add(new PatternEntry(key, double.Parse(number.Groups["value"].Value, CultureInfo.InvariantCulture), PathExpression.Parse($@"(?:.*\.)?(?:{key})"), start));
            }
            catch (FormatException e)
            {
                error = new TargetError(start, key.Length, $"the pattern {e.Message}");
                return false;
            }

            at = number.Index + number.Length;
        }

        return true;
    }

    /// <summary>The number behind the first <c>=</c> that one stands behind, which ends an entry.</summary>
    private static Match? NumberBehindKey(string text, int start)
    {
        for (var equals = text.IndexOf('=', EndOfQuote(text, start) ?? start); equals >= 0; equals = text.IndexOf('=', equals + 1))
            if (equals > start && Number.Match(text, equals + 1) is { Success: true } number)
                return number;
        return null;
    }

    /// <summary>Where a key in quotes ends; null: it is in none.</summary>
    private static int? EndOfQuote(string text, int start)
    {
        for (var i = start + 1; i < text.Length && text[start] == '\''; i++)
            if (text[i] == '\'' && (i + 1 == text.Length || text[i + 1] != '\''))
                return i;
            else if (text[i] == '\'')
                i++;
        return null;
    }
}
