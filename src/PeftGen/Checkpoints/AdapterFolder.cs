using System.Globalization;
using System.Text.Json.Nodes;
using PeftGen.Methods;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>The folders in which adapters are kept: a configuration and a safetensors file.</summary>
internal static class AdapterFolder
{
    private const string SafetensorsExtension = ".safetensors";

    private static readonly IReadOnlyDictionary<FileFormat, (string safetensors, string pickle)> WeightNames =
        new Dictionary<FileFormat, (string, string)>
        {
            [FileFormat.HuggingFace] = ("adapter_model.safetensors", "adapter_model.bin"),
            [FileFormat.AdapterHub] = ("adapter.safetensors", "pytorch_adapter.bin"),
        };

    /// <summary>Writes an adapter as HF PEFT does. Both files change in one step.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="directory">The folder; it is created where it is missing.</param>
    /// <param name="baseModel">What to call the base; null: what a loaded file calls it.</param>
    public static void Save(AdapterNode adapter, string directory, string? baseModel)
    {
        var root = AdapterRoot.OfFile(adapter, directory);
        // What is computed for the file alone is given back with it.
        using var scope = NewDisposeScope();
        var config = AdapterConfig.Write(root, baseModel);
        var tensors = TensorsOf(adapter, FileFormat.HuggingFace, "");
        using var files = new StagedFiles(directory);
        Stage(files, "", FileFormat.HuggingFace, tensors, config);
        files.Commit();
    }

    /// <summary>Adds the two files of an adapter to those that are saved together.</summary>
    /// <param name="files">They.</param>
    /// <param name="directory">The adapter's folder in theirs.</param>
    /// <param name="format">Whose names the files have.</param>
    /// <param name="tensors">The tensors.</param>
    /// <param name="config">The configuration.</param>
    public static void Stage(StagedFiles files, string directory, FileFormat format, Dictionary<string, Tensor> tensors, JsonObject config)
    {
        SafetensorsWriter.Stage(files, Path.Combine(directory, WeightNames[format].safetensors), tensors.Select(entry => (entry.Key, entry.Value)));
        files.Add(Path.Combine(directory, AdapterConfig.FileName), stream => JsonFile.Write(stream, config));
    }

    /// <summary>Fills an empty tree with what a folder holds.</summary>
    /// <param name="host">The model.</param>
    /// <param name="adapter">An empty tree of the group's type.</param>
    /// <param name="declared">The methods of the group.</param>
    /// <param name="directory">The folder.</param>
    /// <param name="generator">For dropout; null: seeded from torch's own generator.</param>
    public static void Load(nn.Module host, AdapterNode adapter, IReadOnlyList<AdaptAttribute> declared, string directory, Generator? generator)
    {
        var path = Path.Combine(directory, AdapterConfig.FileName);
        // Configuration and weights are those of one instant, and what is made for them is no larger than what there is to be read.
        using var opened = FolderSnapshot.Take(directory, files =>
        {
            var (config, values) = Match(ReadConfig(files, directory), declared, path);
            return OpenedAdapter.Open(files, config, values, directory);
        });
        try
        {
            new AdapterCreation(host, opened.Values, generator, FileRoom.For(opened.Parts.Select(part => part.File))).Fill(adapter, host);
        }
        catch (AdapterException e)
        {
            throw new AdapterException($"{path}: {e.Message}", e);
        }

        adapter.Root!.Loaded = opened.Config;
        var repeated = adapter.Slots().SelectMany(slot => slot.Repeated(opened.Config.Format)).ToHashSet();
        var read = new Dictionary<TensorIdentity, string>();
        foreach (var (index, (file, name)) in opened.Parts.Index())
        {
            var tensors = TensorsOf(adapter, opened.Config.Format, name, index);
            RemoveRepeated(tensors, file.Names);
            var copies = BaseCopies.Check(file, host, tensors);
            TensorFit.Check(
                file.FilePath, $"The file's configuration asks for {string.Join(" ", opened.Values)}; the model has to be the one that the adapter was trained on.",
                tensors, file.Names.Where(key => !copies.Contains(key) && !repeated.Contains(key)).ToDictionary(key => key, file.Entry));
            foreach (var (key, target) in tensors)
                if (read.TryAdd(TensorIdentity.Of(target), file.FilePath))
                    file.ReadInto(key, target);
                else
                    RequireShared(file, key, target, read[TensorIdentity.Of(target)]);
        }
    }

    /// <summary>A tensor under several keys, as that of tied weights, may stand in the file once.</summary>
    private static void RemoveRepeated(Dictionary<string, Tensor> tensors, IEnumerable<string> names)
    {
        var found = names.ToHashSet();
        foreach (var same in tensors.GroupBy(tensor => TensorIdentity.Of(tensor.Value), tensor => tensor.Key).Where(keys => keys.Any(found.Contains)).ToList())
            foreach (var key in same.Where(key => !found.Contains(key)))
                tensors.Remove(key);
    }

    /// <summary>What several files hold has to be the same in all of them.</summary>
    private static void RequireShared(SafetensorsFile file, string key, Tensor target, string first)
    {
        using var quiet = no_grad();
        using var value = file.Read(key);
        using var typed = value.to(target.dtype, target.device);
        if (!typed.Equals(target))
            throw new AdapterException($"{file.FilePath}: '{key}' differs from the values in {first}, expected the same, for the adapters share it. Load adapters that were trained together.");
    }

    /// <summary>Reads the configuration of a folder.</summary>
    /// <param name="files">Reads.</param>
    /// <param name="directory">The folder.</param>
    public static AdapterConfig ReadConfig(FolderSnapshot files, string directory)
    {
        if (!Directory.Exists(directory))
            throw new CheckpointException($"{directory}: there is no such folder, expected an adapter's with {AdapterConfig.FileName}. Check the path.");
        return JointFolder.NamesIn(files, directory) is { } names ? JointFolder.ReadConfig(files, directory, names) : ReadSingle(files, directory);
    }

    /// <summary>Reads the configuration of a folder that holds one adapter.</summary>
    public static AdapterConfig ReadSingle(FolderSnapshot files, string directory)
    {
        var path = Path.Combine(directory, AdapterConfig.FileName);
        var config = AdapterConfig.Read(files.Json(path, "an adapter's configuration"), path);
        // What trains whole, and which names mean something, can be told from the keys.
        if (config.Format != FileFormat.HuggingFace || !files.Has(Path.Combine(directory, WeightNames[config.Format].safetensors)))
            return config;
        using var weights = OpenWeights(files, directory, config.Format);
        return config with { Keys = [.. weights.Names] };
    }

    /// <summary>The values that a method reads from its configuration.</summary>
    /// <param name="method">The method.</param>
    /// <param name="config">Its configuration.</param>
    /// <param name="source">Where it comes from, for messages.</param>
    /// <param name="keys">The keys of the file with the weights.</param>
    public static AdaptAttribute ReadMethod(AdaptAttribute method, JsonObject config, string source, IReadOnlyCollection<string> keys)
    {
        try
        {
            var values = method.ReadConfig(config);
            WholeModules.Read(values, config, keys);
            // Targets are read when they are first asked for.
            _ = (values.Claims.Count, values.NamedClaims.Count(), WholeModules.ClaimOf(values));
            return values;
        }
        // A method of the user's own may read the file's values as it likes. Whatever it meets there is the file's.
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new AdapterException($"{source}: {method.GetType().Name} cannot read its values ({AdapterConfig.NameOf(config)}): {e.Message}", e);
        }
    }

    /// <summary>
    /// The methods that act, with the file's values and configurations, in the order of the group, which is the order in which they act.
    /// Each configuration goes to the first declared method that can read it and was not taken yet.
    /// </summary>
    private static (AdapterConfig config, IReadOnlyList<AdaptAttribute> values) Match(AdapterConfig config, IReadOnlyList<AdaptAttribute> declared, string path)
    {
        var free = declared.SelectMany(method => method.Parts).Index().ToList();
        var matches = new List<(int order, JsonObject part, AdaptAttribute value)>();
        foreach (var part in config.Methods)
        {
            var fitting = free.FindIndex(candidate => Reads(candidate.Item, part, path));
            if (fitting < 0)
                throw new AdapterException(
                    $"{path}: the file holds {config.MethodNames}, and the model declares {(declared.Count == 0 ? "no method" : string.Join(" ", declared))} in this group, " +
                    $"so {AdapterConfig.NameOf(part)} has no place. Write this on the model's class: {AdapterDeclaration.Describe(config, path)}");
            matches.Add((free[fitting].Index, part, ReadMethod(free[fitting].Item, part, path, config.Keys)));
            free.RemoveAt(fitting);
        }

        matches.Sort((a, b) => a.order.CompareTo(b.order));
        return (config with { Methods = matches.Select(match => match.part).ToList() }, matches.Select(match => match.value).ToList());
    }

    /// <summary>Whether a configuration is one of a method.</summary>
    public static bool Reads(AdaptAttribute method, JsonObject part, string source)
    {
        try
        {
            return method.Reads(part);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            throw new AdapterException($"{source}: {method.GetType().Name} cannot tell whether the configuration is its own: {e.Message}", e);
        }
    }

    /// <summary>The file of a trained adapter that another starts from.</summary>
    /// <param name="source">The file, or HF PEFT's folder with it.</param>
    public static string SourceFile(string source) =>
        Path.GetExtension(source) == SafetensorsExtension || File.Exists(source) ? source : Path.Combine(source, WeightNames[FileFormat.HuggingFace].safetensors);

    /// <summary>Opens <see cref="SourceFile"/>.</summary>
    /// <exception cref="CheckpointException">There is none, or it is no safetensors file.</exception>
    public static SafetensorsFile OpenSource(string source)
    {
        var file = SourceFile(source);
        if (Path.GetExtension(file) != SafetensorsExtension)
            throw Pickle(file, $"a file that ends in {SafetensorsExtension}");
        return file == source ? SafetensorsFile.Open(file) : FolderSnapshot.Take(source, files => OpenWeights(files, source, FileFormat.HuggingFace));
    }

    /// <summary>Opens the weights of a folder that holds one adapter.</summary>
    public static SafetensorsFile OpenWeights(FolderSnapshot files, string directory, FileFormat format)
    {
        var (safetensors, pickle) = WeightNames[format];
        if (!files.Has(Path.Combine(directory, safetensors)) && files.Has(Path.Combine(directory, pickle)))
            throw Pickle(Path.Combine(directory, pickle), safetensors);
        return files.Weights(Path.Combine(directory, safetensors));
    }

    private static CheckpointException Pickle(string file, string expected) => new(
        $"{file}: found weights as a Python pickle, which can run code when it is read, expected {expected}. " +
        "Load the adapter in Python and save it with safe_serialization=True.");

    /// <summary>All tensors of an adapter's file. What several slots share is there once.</summary>
    /// <param name="adapter">The adapter.</param>
    /// <param name="format">Whose file it is.</param>
    /// <param name="name">The adapter's name in its keys.</param>
    /// <param name="part">Which of several files it is, where AdapterHub keeps the adapter as several.</param>
    public static Dictionary<string, Tensor> TensorsOf(AdapterNode adapter, FileFormat format, string name, int part = 0)
    {
        var ownName = $"{{name.{part}}}";
        var stored = adapter.Slots().SelectMany(slot => slot.Stored(format).Select(tensor => (slot, tensor)))
            .Where(s => PartOf(s.tensor.Key) is { } of ? of == part : part == 0)
            .Select(s => (s.slot, key: s.tensor.Key.Replace("{name}", name, StringComparison.Ordinal).Replace(ownName, name, StringComparison.Ordinal), value: s.tensor.Value)).ToList();
        // Where methods of a group call their tensors alike, the method's own name stands in front.
        var ambiguous = stored.GroupBy(s => s.key).Where(same => same.DistinctBy(s => TensorIdentity.Of(s.value)).Skip(1).Any()).Select(same => same.Key).ToHashSet();
        var tensors = new Dictionary<string, Tensor>();
        foreach (var (slot, key, value) in stored)
        {
            var own = ambiguous.Contains(key) ? $"{adapter.Root!.MethodOf(slot)?.PeftType}.{key}" : key;
            if (!tensors.TryAdd(own, value) && TensorIdentity.Of(tensors[own]) != TensorIdentity.Of(value))
                throw new AdapterException($"{slot.Path}: two methods of the group call a tensor '{key}' in files. Give one of them a group of its own.");
        }

        return tensors;
    }

    /// <summary>Which of several folders a tensor is for; null: there is one.</summary>
    /// <param name="pattern">The tensor's key, with <c>{name.N}</c> in place of the name.</param>
    public static int? PartOf(string pattern)
    {
        const string Numbered = "{name.";
        var at = pattern.IndexOf(Numbered, StringComparison.Ordinal);
        return at < 0 ? null : int.Parse(pattern.AsSpan((at + Numbered.Length)..pattern.IndexOf('}', at)), CultureInfo.InvariantCulture);
    }
}
