using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>Numbers by path, as HF PEFT's <c>rank_pattern</c> and <c>alpha_pattern</c>: the first key that matches the end of a path counts.</summary>
internal sealed class ValuePatterns
{
    private readonly IReadOnlyList<PatternEntry> _entries;

    /// <param name="text">Keys with values: <c>down_proj=6, layers.0.self_attn.q_proj=2</c>.</param>
    /// <exception cref="AdapterException">The text is malformed.</exception>
    public ValuePatterns(string text) =>
        _entries = PatternEntry.TryParse(text, out var entries, out var error) ? entries : throw new AdapterException($"{error.Message}.");

    /// <summary>The number for a path.</summary>
    /// <param name="path">The path of a layer.</param>
    /// <param name="otherwise">The number where no key matches.</param>
    public double For(string path, double otherwise) => _entries.FirstOrDefault(entry => entry.Path.MatchesSome(path))?.Value ?? otherwise;

    public JsonObject ToJson() => new(_entries.Select(e => KeyValuePair.Create(e.Key, (JsonNode?)ConfigWriter.Number(e.Value))));
}
