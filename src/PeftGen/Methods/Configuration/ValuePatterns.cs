using System.Text.Json.Nodes;
using PeftGen.Checkpoints;

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
    public double For(string path, double otherwise) => First(_entries, path) ?? otherwise;

    /// <summary>The keys as they were written, in their order.</summary>
    public JsonObject ToJson() => ToJson(_entries.Select(e => (e.Key, e.Value)));

    /// <summary>
    /// The numbers as a file has them, which is sorted by its keys: the keys as they were written, where they mean the same in that order, and in Python; else one for each path whose number is another.
    /// </summary>
    /// <param name="paths">The paths of the layers.</param>
    /// <param name="otherwise">The number where no key matches.</param>
    public JsonObject ToJson(IReadOnlyList<string> paths, double otherwise)
    {
        var sorted = _entries.DistinctBy(e => e.Key).OrderBy(e => e.Key, StringComparer.Ordinal).ToList();
        var keys = sorted.ConvertAll(e => PythonRegex.Of(e.Key));
        return keys.All(key => key is not null) && keys.Order(StringComparer.Ordinal).SequenceEqual(keys) && paths.All(path => First(sorted, path) == First(_entries, path))
            ? ToJson(sorted.Select((e, i) => (keys[i]!, e.Value)))
            : ByPath(paths.Select(path => (path, For(path, otherwise))), otherwise);
    }

    /// <summary>Numbers of which each stands for one path alone, so that their order does not matter.</summary>
    /// <param name="numbers">The numbers.</param>
    /// <param name="otherwise">The number of those that are left out.</param>
    public static JsonObject ByPath(IEnumerable<(string path, double number)> numbers, double otherwise) =>
        ToJson(numbers.Where(n => n.number != otherwise).Select(n => ($"^{HuggingFaceNames.Exactly(n.path)}", n.number)));

    private static double? First(IEnumerable<PatternEntry> entries, string path) => entries.FirstOrDefault(entry => entry.Path.MatchesSome(path))?.Value;

    private static JsonObject ToJson(IEnumerable<(string key, double value)> numbers) =>
        new(numbers.DistinctBy(n => n.key).Select(n => KeyValuePair.Create(n.key, (JsonNode?)ConfigWriter.Number(n.value))));
}
