using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Parity;

/// <summary>Compares configurations, and turns them into declarations.</summary>
public static class Configurations
{
    // Said about the saving, not about the adapter.
    private static readonly HashSet<string> OfSaving = ["inference_mode", "auto_mapping"];

    // What the reference's own files do not say, though it is a setting.
    private static readonly HashSet<string> Unsaid = ["subtract_projection"];

    /// <summary>The attributes that a configuration wants.</summary>
    /// <exception cref="UnsupportedException">The library lacks the method, or an option of it.</exception>
    public static AdapterDeclaration Declaration(JsonObject config) => Supported(() => AdapterDeclaration.Read(config));

    /// <summary>The attributes that a folder wants.</summary>
    /// <exception cref="UnsupportedException">The library lacks the method, or an option of it.</exception>
    public static AdapterDeclaration DeclarationOf(string folder) => Supported(() => AdapterDeclaration.Read(folder));

    private static AdapterDeclaration Supported(Func<AdapterDeclaration> read)
    {
        try
        {
            return read();
        }
        catch (AdapterException e)
        {
            throw new UnsupportedException(e.Message.ReplaceLineEndings(" "));
        }
    }

    /// <summary>Whether the library has the method, with these options.</summary>
    public static bool IsSupported(JsonObject config)
    {
        try
        {
            AdapterDeclaration.Read(config);
            return true;
        }
        catch (AdapterException)
        {
            // Which option is missing is said by whoever asks for the declaration.
            return false;
        }
    }

    /// <summary>The configuration of an adapter's folder; of AdapterHub's without the envelope.</summary>
    public static JsonObject Read(string folder)
    {
        var config = ReadWhole(folder);
        return config["config"] as JsonObject ?? config;
    }

    /// <summary>Requires that the envelope of AdapterHub's configuration is of the host.</summary>
    /// <param name="folder">The adapter's folder.</param>
    /// <param name="host">The host's configuration.</param>
    /// <param name="hostClass">The host's class.</param>
    public static void RequireOfHost(string folder, JsonObject host, string hostClass)
    {
        var envelope = ReadWhole(folder);
        if (envelope["config"] is not JsonObject)
            return;
        foreach (var (field, expected) in new[] { ("hidden_size", host["hidden_size"] ?? host["n_embd"] ?? host["d_model"]), ("model_type", host["model_type"]), ("model_class", hostClass) })
            if (envelope.TryGetPropertyValue(field, out var found) && !Same(found, expected))
                throw new ParityException($"adapter_config.json: '{field}' is {Text(found)}, expected the host's, {Text(expected)}");
    }

    /// <summary>Requires that case.json and the adapter's file agree, but for what the reference does not write into files.</summary>
    public static void RequireSaved(JsonObject recorded, JsonObject saved) =>
        RequireSame(Without(recorded, Unsaid.Where(field => !saved.ContainsKey(field)).ToHashSet()), saved, "adapter_config.json against case.json");

    /// <summary>Each recorded field has to be in the other configuration, with an equal value.</summary>
    public static void RequireSame(JsonObject recorded, JsonObject other, string where)
    {
        foreach (var (field, value) in recorded)
            if (!OfSaving.Contains(field) && (!other.TryGetPropertyValue(field, out var found) || !Same(value, found)))
                throw new ParityException($"{where}: '{field}' is {(other.ContainsKey(field) ? Text(other[field]) : "missing")}, expected {Text(value)}");
    }

    /// <summary>Each recorded field of a folder's configuration, and of the envelope that AdapterHub puts around it, has to be in another's, with an equal value.</summary>
    public static void RequireSameWhole(string recorded, string other, string where)
    {
        RequireSame(Read(recorded), Read(other), where);
        RequireSame(Without(ReadWhole(recorded), ["config"]), ReadWhole(other), where);
    }

    /// <summary>
    /// Fields that case.json does not set have the reference's default, which is the same in every adapter of one method.
    /// </summary>
    /// <param name="configs">The configurations by the adapter's name.</param>
    /// <param name="recorded">What case.json sets, by the adapter's name.</param>
    public static void RequireSameDefaults(IReadOnlyDictionary<string, JsonObject> configs, JsonObject recorded)
    {
        foreach (var sameMethod in configs.GroupBy(c => Text(c.Value["peft_type"])))
        {
            var set = sameMethod.SelectMany(c => (recorded[c.Key] as JsonObject)?.Select(f => f.Key) ?? []).ToHashSet();
            var (first, fields) = sameMethod.First();
            foreach (var (name, other) in sameMethod.Skip(1))
                RequireSame(Without(fields, set), other, $"adapter_config.json of {name} against that of {first}, for case.json sets no");
        }
    }

    private static JsonObject ReadWhole(string folder) => (JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!;

    private static JsonObject Without(JsonObject config, HashSet<string> fields) =>
        new(config.Where(f => !fields.Contains(f.Key)).Select(f => KeyValuePair.Create(f.Key, f.Value?.DeepClone())));

    private static string Text(JsonNode? node) => node?.ToJsonString() ?? "null";

    private static bool Same(JsonNode? a, JsonNode? b) => (a, b) switch
    {
        (null, null) => true,
        (JsonObject x, JsonObject y) => x.Count == y.Count && x.All(f => y.TryGetPropertyValue(f.Key, out var other) && Same(f.Value, other)),
        (JsonArray x, JsonArray y) => x.Count == y.Count && (x.Zip(y).All(p => Same(p.First, p.Second)) || SameNames(x, y)),
        (JsonValue x, JsonValue y) when x.GetValueKind() == JsonValueKind.Number && y.GetValueKind() == JsonValueKind.Number => GoldenCase.Number(x) == GoldenCase.Number(y),
        (JsonValue x, JsonValue y) => x.ToJsonString() == y.ToJsonString(),
        _ => false,
    };

    // Names are sets in the reference: their order is chance.
    private static bool SameNames(JsonArray a, JsonArray b) =>
        a.All(n => n is JsonValue v && v.GetValueKind() == JsonValueKind.String)
        && a.Select(n => n!.ToJsonString()).Order(StringComparer.Ordinal).SequenceEqual(b.Select(n => n!.ToJsonString()).Order(StringComparer.Ordinal));
}
