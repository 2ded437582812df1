using System.Text.Json.Nodes;

namespace PeftGen.Checkpoints;

/// <summary>A folder of AdapterHub with one adapter for each task and a setup that says that they act as one, each for its own rows.</summary>
internal static class JointFolder
{
    /// <summary>The field that a configuration read from such a folder has besides: how many adapters there are.</summary>
    public const string CountField = "tasks";

    private const string SetupField = "adapter_setup", ChildrenField = "children";

    private const string SetupFile = "adapter_setup.json", JointSetup = "MultiTask";

    /// <summary>The names of the adapters in the order of their tasks; null: the folder holds no setup.</summary>
    /// <param name="files">Reads.</param>
    /// <param name="directory">The folder.</param>
    /// <exception cref="AdapterException">The setup is of adapters that do not act as one, or names what is no folder there.</exception>
    public static IReadOnlyList<string>? NamesIn(FolderSnapshot files, string directory)
    {
        var path = Path.Combine(directory, SetupFile);
        if (files.Has(Path.Combine(directory, AdapterConfig.FileName)) || !files.Has(path))
            return null;
        var setup = files.Json(path, "a setup of adapters")[SetupField] as JsonObject;
        var type = setup?["type"];
        if (type is not JsonValue text || !text.TryGetValue(out string? kind) || kind != JointSetup || setup![ChildrenField] is not JsonArray { Count: > 0 } children)
            throw new AdapterException($"{path}: the setup is {(type is null ? "not there" : JsonFile.Shown(type))}, expected \"{JointSetup}\", whose adapters are one here. Load each adapter from its own folder, and compose them.");
        var names = children.Select(child => NameOf(child, path)).ToList();
        return names.GroupBy(name => name).FirstOrDefault(same => same.Skip(1).Any()) is not { } twice ? names : throw new AdapterException(
            $"{path}: the setup names '{twice.Key}' {twice.Count()} times, expected each adapter once.");
    }

    /// <summary>A task's only adapter, by its name: that of a folder in this one.</summary>
    private static string NameOf(JsonNode? child, string path)
    {
        if (child is not JsonObject task || task[ChildrenField] is not JsonArray { Count: 1 } only || only[0] is not JsonValue value || !value.TryGetValue(out string? name))
            throw new AdapterException($"{path}: found the task {JsonFile.Shown(child)}, expected one adapter by its name. Setups within setups have no form here.");
        if (name.Length == 0 || name is "." or ".." || name.IndexOfAny(['/', '\\', ':', '\0']) >= 0)
            throw new AdapterException($"{path}: found the adapter {JsonFile.Shown(value)}, expected the name of a folder beside the setup. Do not load this adapter: its setup points elsewhere.");
        return name;
    }

    /// <summary>The one configuration of all the adapters.</summary>
    public static AdapterConfig ReadConfig(FolderSnapshot files, string directory, IReadOnlyList<string> names)
    {
        var configs = names.Select(name => AdapterFolder.ReadSingle(files, Path.Combine(directory, name))).ToList();
        foreach (var (name, config) in names.Zip(configs))
            if (config.Methods.Count != configs[0].Methods.Count || !config.Methods.Zip(configs[0].Methods).All(pair => JsonNode.DeepEquals(pair.First, pair.Second)))
                throw new AdapterException($"{Path.Combine(directory, name)}: the configuration is another than that of '{names[0]}', expected the same for all tasks of a {JointSetup} setup.");
        if (configs[0].Format != FileFormat.AdapterHub)
            throw new AdapterException($"{Path.Combine(directory, names[0])}: found a configuration of HF PEFT, expected AdapterHub's, whose setup lies beside it. Load the folder by itself.");
        foreach (var method in configs[0].Methods)
            method[CountField] = names.Count;
        return configs[0] with { Parts = names.Select(name => (Path.Combine(directory, name), name)).ToList() };
    }

    /// <summary>Adds the setup to what is saved.</summary>
    /// <param name="files">The files that are written together.</param>
    /// <param name="names">The adapters in the order of their tasks.</param>
    public static void Stage(StagedFiles files, IReadOnlyList<string> names)
    {
        var children = names.Select(name => new JsonObject { ["type"] = "single", [ChildrenField] = new JsonArray(name) });
        var setup = new JsonObject { ["type"] = JointSetup, [ChildrenField] = new JsonArray([.. children]) };
        // An adapter of its own that was saved there before would be read in place of the setup.
        files.Remove(AdapterConfig.FileName);
        files.Add(SetupFile, stream => JsonFile.Write(stream, new JsonObject { [SetupField] = setup, ["head_setup"] = null, ["version"] = HubFiles.Version }));
    }
}
