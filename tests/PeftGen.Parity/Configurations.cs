using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Parity;

/// <summary>Compares configurations, and turns them into declarations.</summary>
public static class Configurations
{
    // Said about the saving, not about the adapter.
    private static readonly HashSet<string> OfSaving = ["inference_mode", "auto_mapping"];

    /// <summary>The attributes that a configuration wants.</summary>
    /// <exception cref="UnsupportedException">The library lacks the method, or an option of it.</exception>
    public static AdapterDeclaration Declaration(JsonObject config)
    {
        try
        {
            return AdapterDeclaration.Read(config);
        }
        catch (AdapterException e)
        {
            throw new UnsupportedException(e.Message.ReplaceLineEndings(" "));
        }
    }

    /// <summary>The configuration of an adapter's folder; of AdapterHub's without the envelope.</summary>
    public static JsonObject Read(string folder)
    {
        var config = (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!;
        return config["config"] as JsonObject ?? config;
    }

    /// <summary>Each recorded field has to be in the other configuration, with an equal value.</summary>
    public static void RequireSame(JsonObject recorded, JsonObject other, string where)
    {
        foreach (var (field, value) in recorded)
            if (!OfSaving.Contains(field) && (!other.TryGetPropertyValue(field, out var found) || !Same(value, found)))
                throw new ParityException($"{where}: '{field}' is {(other.ContainsKey(field) ? other[field]?.ToJsonString() ?? "null" : "missing")}, expected {value?.ToJsonString() ?? "null"}");
    }

    private static bool Same(JsonNode? a, JsonNode? b) => (a, b) switch
    {
        (null, null) => true,
        (JsonObject x, JsonObject y) => x.Count == y.Count && x.All(f => y.TryGetPropertyValue(f.Key, out var other) && Same(f.Value, other)),
        (JsonArray x, JsonArray y) => x.Count == y.Count && (x.Zip(y).All(p => Same(p.First, p.Second)) || SameNames(x, y)),
        (JsonValue x, JsonValue y) when x.GetValueKind() == JsonValueKind.Number && y.GetValueKind() == JsonValueKind.Number => Number(x) == Number(y),
        (JsonValue x, JsonValue y) => x.ToJsonString() == y.ToJsonString(),
        _ => false,
    };

    // Names are sets in the reference: their order is chance.
    private static bool SameNames(JsonArray a, JsonArray b) =>
        a.All(n => n is JsonValue v && v.GetValueKind() == JsonValueKind.String)
        && a.Select(n => n!.ToJsonString()).Order(StringComparer.Ordinal).SequenceEqual(b.Select(n => n!.ToJsonString()).Order(StringComparer.Ordinal));

    private static double Number(JsonValue value) => double.Parse(value.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture);
}
