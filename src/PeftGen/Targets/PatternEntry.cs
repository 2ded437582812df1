using System.Globalization;
using System.Text.RegularExpressions;

namespace PeftGen;

/// <summary>
/// A number for some paths, of a list such as <c>down_proj=6, layers.0.self_attn.q_proj=2</c>; HF PEFT's <c>rank_pattern</c> and <c>alpha_pattern</c>. A key is a regular expression that has to
/// match the end of a path, so a comma ends an entry only behind a number.
/// </summary>
/// <param name="Key">The key as it was written.</param>
/// <param name="Value">The number.</param>
/// <param name="Path">What the key matches.</param>
/// <param name="Start">The key's first character in the list's text.</param>
internal sealed record PatternEntry(string Key, double Value, Regex Path, int Start)
{
    private static readonly Regex Entry = new(@"\G\s*(?<key>\S.*?)\s*=\s*(?<value>[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*(?:,|$)", RegexOptions.CultureInvariant);

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
            var entry = Entry.Match(text, at);
            if (!entry.Success)
            {
                var rest = text.Substring(at).Trim();
                error = new TargetError(text.IndexOf(rest, at, StringComparison.Ordinal), rest.Length, $"the pattern '{rest}' is none, expected a name, '=' and a number: 'down_proj=6'");
                return false;
            }

            var key = entry.Groups["key"];
            try
            {
                entries.Add(new PatternEntry(
                    key.Value, double.Parse(entry.Groups["value"].Value, CultureInfo.InvariantCulture), new Regex($@"\A(?:.*\.)?(?:{key.Value})\z", RegexOptions.CultureInvariant), key.Index));
            }
            catch (ArgumentException e)
            {
                error = new TargetError(key.Index, key.Length, $"the pattern '{key.Value}' is no regular expression: {e.Message}");
                return false;
            }

            at += entry.Length;
        }

        return true;
    }
}
