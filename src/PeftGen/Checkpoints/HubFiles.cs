using System.Text.Json.Nodes;
using PeftGen.Methods;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>Writes adapters as AdapterHub's library keeps them: a folder for each, or one for each task.</summary>
internal static class HubFiles
{
    /// <summary>What to do where AdapterHub has no form for an adapter; for messages.</summary>
    public const string Otherwise = "Save it in HF PEFT's form, with Save.";

    /// <summary>The library whose files these are. It reads its configurations by it.</summary>
    public const string Version = "adapters.1.3.0";

    private const string Config = "config", DefaultName = "default";

    /// <summary>Writes an adapter. All files change in one step.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="directory">The folder; it is created where it is missing.</param>
    /// <param name="name">The adapter's name; null: what a loaded file calls it, else the group's.</param>
    /// <param name="baseModel">What to call the base; null: what a loaded file calls it.</param>
    public static void Save(AdapterNode adapter, string directory, string? name, string? baseModel)
    {
        var root = AdapterRoot.OfFile(adapter, directory);
        // What is computed for the file alone is given back with it.
        using var scope = NewDisposeScope();
        var methods = MethodsOf(root);
        var names = NamesOf(adapter, root, name);
        using var files = new StagedFiles(directory);
        foreach (var (part, own) in names.Index())
        {
            var folder = names.Count == 1 ? "" : own;
            var tensors = AdapterFolder.TensorsOf(adapter, FileFormat.AdapterHub, own, part);
            AdapterFolder.Stage(files, folder, FileFormat.AdapterHub, tensors, Envelope(root, methods, own, baseModel));
        }

        if (names.Count > 1)
            JointFolder.Stage(files, names);
        files.Commit();
    }

    private static List<string> NamesOf(AdapterNode adapter, AdapterRoot root, string? name)
    {
        var parts = adapter.Slots().SelectMany(slot => slot.Stored(FileFormat.AdapterHub)).Select(stored => AdapterFolder.PartOf(stored.Key)).Max();
        if (parts is not null && root.Methods.Count > 1)
            throw new AdapterException($"{string.Join(" ", root.Methods)}: AdapterHub keeps an adapter for each task, and has no place for the other methods of the group. {Otherwise}");
        var loaded = root.Loaded is { Format: FileFormat.AdapterHub } file ? file : null;
        if (name is null && parts is not null && loaded?.Parts.Count == parts + 1)
            return loaded.Parts.Select(part => part.name).ToList();
        name ??= loaded?.Name ?? root.Methods.Select(method => method.Group).FirstOrDefault(group => group is not null) ?? DefaultName;
        if (name.Length == 0 || name.IndexOfAny(['.', '/', '\\']) >= 0)
            throw new AdapterException($"The adapter's name is \"{name}\", expected one without dots and slashes, for it becomes a part of the keys.");
        return parts is null ? [name] : Enumerable.Range(0, parts.Value + 1).Select(task => FormattableString.Invariant($"{name}_{task}")).ToList();
    }

    private static JsonObject Envelope(AdapterRoot root, List<JsonObject> methods, string name, string? baseModel)
    {
        var envelope = root.Loaded is { Format: FileFormat.AdapterHub, Json: var loaded } && loaded.ContainsKey(Config) ? loaded.DeepClone().AsObject() : [];
        envelope[Config] = methods is [var only] ? only.DeepClone() : new JsonObject { ["architecture"] = "union", ["configs"] = new JsonArray([.. methods.Select(method => method.DeepClone())]) };
        envelope["name"] = name;
        if (baseModel is not null)
            envelope["model_name"] = baseModel;
        foreach (var ofHost in (string[])["hidden_size", "model_class", "model_name", "model_type"])
            envelope.TryAdd(ofHost, null);
        envelope.TryAdd("version", Version);
        return (JsonObject)AdapterConfig.Sorted(envelope)!;
    }

    /// <summary>The methods' configurations. An invertible adapter stands in that of a bottleneck.</summary>
    private static List<JsonObject> MethodsOf(AdapterRoot root)
    {
        var loaded = root.Loaded is { Format: FileFormat.AdapterHub } file && file.Methods.Count == root.Methods.Count ? file : null;
        var configs = root.Methods.Select((method, i) => MethodOf(root, method, loaded?.Methods[i])).ToList();
        foreach (var part in configs.Where(Invertible.IsHubPart).ToList())
        {
            configs.Remove(part);
            if (configs.FirstOrDefault(config => BottleneckConfig.CanHold(config, part)) is not { } whole)
                configs.Add(whole = BottleneckConfig.Nowhere());
            foreach (var field in Invertible.HubFields)
                whole[field] = part[field]?.DeepClone();
        }

        return configs;
    }

    private static JsonObject MethodOf(AdapterRoot root, AdaptAttribute method, JsonObject? loaded)
    {
        HubForm.Refuse(method, (method.ModulesToSave is not null, $"{nameof(method.ModulesToSave)} (it keeps heads in files of their own)"));
        var config = loaded?.DeepClone().AsObject() ?? [];
        config.Remove(JointFolder.CountField);
        method.WriteHubConfig(config, root.HubSites(method));
        foreach (var shared in root.Shared.Where(slot => ReferenceEquals(root.MethodOf(slot), method)))
            shared.Describe(config, FileFormat.AdapterHub);
        return config;
    }
}
