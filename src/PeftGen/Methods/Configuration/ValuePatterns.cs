using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace PeftGen.Methods;

/// <summary>Numbers by path, as HF PEFT's <c>rank_pattern</c> and <c>alpha_pattern</c>: the first key that matches the end of a path counts.</summary>
/// <param name="text">Keys with values: <c>down_proj=6, layers.0.self_attn.q_proj=2</c>.</param>
internal sealed class ValuePatterns(string text)
{
    private readonly IReadOnlyList<(string key, double value, Regex path)> _entries = text
        .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(Parse).ToList();

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

    private static (string, double, Regex) Parse(string entry)
    {
        var equals = entry.LastIndexOf('=');
        if (equals <= 0 || !double.TryParse(entry[(equals + 1)..], NumberStyles.Float, CultureInfo.InvariantCulture, out var value))
            throw new AdapterException($"the pattern '{entry}' is none, expected a name, '=' and a number: 'down_proj=6'.");
        var key = entry[..equals].Trim();
        return (key, value, new Regex($@"\A(?:(.*\.)?({key}))\z", RegexOptions.CultureInvariant));
    }
}
