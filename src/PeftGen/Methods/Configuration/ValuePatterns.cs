using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PeftGen.Methods;

/// <summary>
/// Numbers by path, as HF PEFT's <c>rank_pattern</c> and <c>alpha_pattern</c>: the first key that matches the end of a path counts. A key is a
/// regular expression, so a comma ends an entry only behind a number.
/// </summary>
internal sealed partial class ValuePatterns
{
    private readonly List<(string key, double value, Regex path)> _entries = [];

    /// <param name="text">Keys with values: <c>down_proj=6, layers.0.self_attn.q_proj=2</c>.</param>
    /// <exception cref="AdapterException">The text is malformed.</exception>
    public ValuePatterns(string text)
    {
        text = text.Trim();
        for (var at = 0; at < text.Length;)
        {
            var entry = Entry().Match(text, at);
            if (!entry.Success)
                throw new AdapterException($"the pattern '{text[at..].Trim()}' is none, expected a name, '=' and a number: 'down_proj=6'.");
            var key = entry.Groups["key"].Value;
            try
            {
                _entries.Add((key, double.Parse(entry.Groups["value"].Value, CultureInfo.InvariantCulture), new Regex($@"\A(?:.*\.)?(?:{key})\z", RegexOptions.CultureInvariant)));
            }
            catch (ArgumentException e)
            {
                throw new AdapterException($"the pattern '{key}' is no regular expression: {e.Message}", e);
            }

            at += entry.Length;
        }
    }

    /// <summary>The number for a path.</summary>
    /// <param name="path">The path of a layer.</param>
    /// <param name="otherwise">The number where no key matches.</param>
    public double For(string path, double otherwise)
    {
        foreach (var (_, value, pattern) in _entries)
            if (pattern.IsMatch(path))
                return value;
        return otherwise;
    }

    public JsonObject ToJson() => new(_entries.Select(e => KeyValuePair.Create(e.key, (JsonNode?)ConfigWriter.Number(e.value))));

    [GeneratedRegex(@"\G\s*(?<key>\S.*?)\s*=\s*(?<value>[+-]?[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)\s*(?:,|$)", RegexOptions.CultureInvariant)]
    private static partial Regex Entry();
}
