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
    /// <param name="directory">The folder.</param>
    /// <exception cref="AdapterException">The setup is of adapters that do not act as one.</exception>
    public static IReadOnlyList<string>? NamesIn(string directory)
    {
        var path = Path.Combine(directory, SetupFile);
        if (!File.Exists(path) || File.Exists(Path.Combine(directory, AdapterConfig.FileName)))
            return null;
        var setup = JsonFile.ReadObject(path, "a setup of adapters")[SetupField];
        if (setup?["type"]?.ToString() != JointSetup || setup[ChildrenField] is not JsonArray { Count: > 0 } children)
            throw new AdapterException($"{path}: the setup is {setup?["type"]?.ToJsonString() ?? "not there"}, expected \"{JointSetup}\", whose adapters are one here. Load each adapter from its own folder, and compose them.");
        return children.Select(child => child?[ChildrenField] is JsonArray { Count: 1 } only ? only[0]!.ToString() : throw new AdapterException(
            $"{path}: found the task {child?.ToJsonString() ?? "null"}, expected one adapter by its name. Setups within setups have no form here.")).ToList();
    }

    /// <summary>The one configuration of all the adapters.</summary>
    public static AdapterConfig ReadConfig(string directory, IReadOnlyList<string> names)
    {
        var configs = names.Select(name => AdapterFolder.ReadConfig(Path.Combine(directory, name))).ToList();
        foreach (var (name, config) in names.Zip(configs))
            if (config.Methods.Count != configs[0].Methods.Count || !config.Methods.Zip(configs[0].Methods).All(pair => JsonNode.DeepEquals(pair.First, pair.Second)))
                throw new AdapterException($"{Path.Combine(directory, name)}: the configuration is another than that of '{names[0]}', expected the same for all tasks of a {JointSetup} setup.");
        foreach (var method in configs[0].Methods)
            method[CountField] = names.Count;
        return configs[0] with { Parts = names.Select(name => (Path.Combine(directory, name), name)).ToList() };
    }

    /// <summary>Writes the setup beside its place.</summary>
    /// <param name="files">The files that are written together.</param>
    /// <param name="directory">The folder with the adapters' folders.</param>
    /// <param name="names">The adapters in the order of their tasks.</param>
    public static void Stage(StagedFiles files, string directory, IReadOnlyList<string> names)
    {
        var children = names.Select(name => new JsonObject { ["type"] = "single", [ChildrenField] = new JsonArray(name) });
        var setup = new JsonObject { ["type"] = JointSetup, [ChildrenField] = new JsonArray([.. children]) };
        files.Add(Path.Combine(directory, SetupFile), stream => JsonFile.Write(stream, new JsonObject { [SetupField] = setup, ["head_setup"] = null, ["version"] = HubFiles.Version }));
    }
}
