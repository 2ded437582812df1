using System.Text.Json;
using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen.Checkpoints;

/// <summary>An adapter's configuration as a file has it, taken apart into those of its methods.</summary>
/// <param name="Format">Whose file it is.</param>
/// <param name="Name">The adapter's name in the keys of AdapterHub's files.</param>
/// <param name="Json">The whole file.</param>
/// <param name="Methods">One configuration for each method.</param>
internal sealed record AdapterConfig(FileFormat Format, string? Name, JsonObject Json, IReadOnlyList<JsonObject> Methods)
{
    /// <summary>The file's name, in all formats.</summary>
    public const string FileName = "adapter_config.json";

    /// <summary>The <c>peft_type</c> of a group of several methods, which HF PEFT has no form for.</summary>
    public const string GroupType = "PEFTGEN";

    private const string GroupMethods = "methods";

    /// <summary>The folders of an adapter that AdapterHub keeps as several, each with the name in its keys; empty: it is in one.</summary>
    public IReadOnlyList<(string folder, string name)> Parts { get; init; } = [];

    /// <summary>The keys of the file with the weights; empty: it was not looked at.</summary>
    public IReadOnlyCollection<string> Keys { get; init; } = [];

    /// <summary>What to call the methods of the file in a message.</summary>
    public string MethodNames => string.Join(", ", Methods.Select(NameOf));

    /// <summary>Takes a configuration apart.</summary>
    /// <param name="json">The object in <c>adapter_config.json</c>, or a configuration of AdapterHub without its envelope.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <exception cref="AdapterException">It is no adapter's configuration.</exception>
    public static AdapterConfig Read(JsonObject json, string source)
    {
        const string Type = "peft_type", Inner = "config";
        if (json[Type] is { } type)
            return new AdapterConfig(FileFormat.HuggingFace, null, json, TextOf(type, source, Type) == GroupType ? Objects(json[GroupMethods], source, GroupMethods) : [json]);
        if (json[Inner] is { } inner)
            return new AdapterConfig(
                FileFormat.AdapterHub, json["name"] is { } name ? TextOf(name, source, "name") : null, json,
                Union(inner as JsonObject ?? throw new AdapterException($"{source}: '{Inner}' is {JsonFile.Shown(inner)}, expected the method's configuration, an object."), source));
        if (json.ContainsKey("architecture") || json.ContainsKey("reduction_factor"))
            return new AdapterConfig(FileFormat.AdapterHub, null, json, Union(json, source));
        throw new AdapterException(
            $"{source}: found neither 'peft_type', which HF PEFT writes, nor 'config', which AdapterHub writes. This is no adapter's configuration, or one of another library.");
    }

    /// <summary>Writes what an adapter was made with.</summary>
    /// <param name="root">The adapter's root.</param>
    /// <param name="baseModel">What to call the base; null: what a loaded file calls it.</param>
    public static JsonObject Write(AdapterRoot root, string? baseModel)
    {
        var loaded = root.Loaded is { Format: FileFormat.HuggingFace } file && file.Methods.Count == root.Methods.Count ? file : null;
        var methods = root.Methods.Select((method, i) => WriteMethod(root, method, loaded?.Methods[i])).ToList();
        var config = methods is [var only]
            ? only
            : new JsonObject(Copy(loaded?.Json)) { ["peft_type"] = GroupType, [GroupMethods] = new JsonArray([.. methods]) };
        config.TryAdd("base_model_name_or_path", null);
        if (baseModel is not null)
            config["base_model_name_or_path"] = baseModel;
        foreach (var common in (string[])["auto_mapping", "revision", "task_type"])
            config.TryAdd(common, null);
        config["inference_mode"] = true;
        return (JsonObject)Sorted(config)!;
    }

    /// <summary>What a method's configuration calls itself.</summary>
    public static string NameOf(JsonObject method) => TextAt(method, "peft_type") ?? TextAt(method, "architecture") ?? "bottleneck";

    private static JsonObject WriteMethod(AdapterRoot root, AdaptAttribute method, JsonObject? loaded)
    {
        var config = new JsonObject(Copy(loaded)) { ["peft_type"] = method.PeftType };
        var targets = root.FileTargets(method);
        method.WriteConfig(config, targets);
        root.WriteSites(method, config);
        WholeModules.Write(method, config, targets);
        foreach (var shared in root.Shared.Where(slot => ReferenceEquals(root.MethodOf(slot), method)))
            shared.Describe(config, FileFormat.HuggingFace);
        return config;
    }

    private static IEnumerable<KeyValuePair<string, JsonNode?>> Copy(JsonObject? json) => json?.DeepClone().AsObject().ToList() is { } fields
        ? fields.Select(field => KeyValuePair.Create(field.Key, field.Value?.DeepClone()))
        : [];

    private static IReadOnlyList<JsonObject> Union(JsonObject config, string source) =>
        TextAt(config, "architecture") == "union" ? [.. Objects(config["configs"], source, "configs").SelectMany(part => Split(part, source))] : Split(config, source);

    /// <summary>A bottleneck's configuration may hold that of an invertible adapter, which is a method of its own here.</summary>
    private static JsonObject[] Split(JsonObject config, string source)
    {
        const string Shared = "non_linearity";
        if (config[Invertible.HubFields[0]] is null)
            return [config];
        var rest = config.DeepClone().AsObject();
        var part = new JsonObject { ["architecture"] = Invertible.Part, [Shared] = rest[Shared]?.DeepClone() };
        foreach (var field in Invertible.HubFields)
        {
            part[field] = rest[field]?.DeepClone();
            rest.Remove(field);
        }

        try
        {
            return BottleneckConfig.IsNowhere(rest) ? [part] : [rest, part];
        }
        catch (AdapterException e)
        {
            throw new AdapterException($"{source}: {e.Message}", e);
        }
    }

    private static List<JsonObject> Objects(JsonNode? node, string source, string field)
    {
        if (node is JsonArray { Count: > 0 } list && list.All(item => item is JsonObject))
            return list.Select(item => item!.AsObject()).ToList();
        throw new AdapterException($"{source}: '{field}' is {(node is null ? "not there" : JsonFile.Shown(node))}, expected a list of the methods' configurations.");
    }

    private static string TextOf(JsonNode node, string source, string field) => node is JsonValue value && value.TryGetValue(out string? text) ? text : throw new AdapterException(
        $"{source}: '{field}' is {JsonFile.Shown(node)}, expected a string.");

    private static string? TextAt(JsonObject json, string field) => json[field] is JsonValue value && value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : null;

    /// <summary>The same with all fields in the order of their names, as the references write them.</summary>
    public static JsonNode? Sorted(JsonNode? node) => node switch
    {
        JsonObject json => new JsonObject(json.OrderBy(field => field.Key, StringComparer.Ordinal).Select(field => KeyValuePair.Create(field.Key, Sorted(field.Value)))),
        JsonArray array => new JsonArray(array.Select(Sorted).ToArray()),
        _ => node?.DeepClone(),
    };
}
