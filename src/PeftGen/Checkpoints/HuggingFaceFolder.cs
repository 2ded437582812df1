using System.Text.Json.Nodes;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>
/// A model folder as Hugging Face transformers writes and reads it: <c>config.json</c> with <c>model.safetensors</c>, or with
/// <c>model.safetensors.index.json</c> and the files that it names.
/// </summary>
public sealed class HuggingFaceFolder : IDisposable
{
    private const string ConfigName = "config.json", Weights = "model.safetensors", Purpose = "a model's configuration";

    private readonly SafetensorsShards _weights;

    private HuggingFaceFolder(string folder, JsonObject config, SafetensorsShards weights) => (Folder, Config, _weights) = (folder, config, weights);

    /// <summary>The folder, as it was given.</summary>
    public string Folder { get; }

    /// <summary>The content of <c>config.json</c>.</summary>
    public JsonObject Config { get; }

    /// <summary>The names of all tensors.</summary>
    public IReadOnlyList<string> Names => _weights.Names;

    /// <summary>Opens a folder: reads its configuration and opens its weights, without reading them.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="CheckpointException">A file is missing or damaged, or an index points out of the folder.</exception>
    public static HuggingFaceFolder Open(string folder) => FolderSnapshot.Take(folder, files =>
    {
        RequireFolder(folder);
        return new HuggingFaceFolder(folder, files.Json(Path.Combine(folder, ConfigName), Purpose), SafetensorsShards.Open(files, folder));
    });

    /// <summary>Reads the configuration alone.</summary>
    /// <param name="folder">The folder.</param>
    /// <exception cref="CheckpointException">There is no such folder, or its <c>config.json</c> is missing or is no JSON object.</exception>
    public static JsonObject ReadConfig(string folder)
    {
        RequireFolder(folder);
        return JsonFile.ReadObject(Path.Combine(folder, ConfigName), Purpose);
    }

    /// <summary>The element type and shape of a tensor.</summary>
    /// <param name="name">The tensor's name in the folder.</param>
    /// <exception cref="CheckpointException">The folder has no tensor of this name.</exception>
    public SafetensorsEntry Entry(string name) => FileOf(name).Entry(name);

    /// <summary>Reads a tensor.</summary>
    /// <param name="name">The tensor's name in the folder.</param>
    /// <returns>A new CPU tensor of the file's element type; the caller owns it.</returns>
    /// <exception cref="CheckpointException">The folder has no tensor of this name.</exception>
    public Tensor Read(string name) => FileOf(name).Read(name);

    /// <summary>
    /// Copies the folder's tensors into a model's parameters and buffers of the same names, converting to their element types
    /// and devices. All names and shapes are checked first: if anything does not fit, nothing is copied.
    /// </summary>
    /// <remarks>
    /// Names meet as transformers lets them: a base that was saved alone is loaded into a model with a head (<c>bert.</c>, <c>model.</c>, <c>transformer.</c> before its names), and the base of a model with a head into
    /// the base alone, where the head is ignored. <c>_orig_mod.</c> and <c>module.</c> of compiled and parallel modules, <c>gamma</c> and <c>beta</c> of old LayerNorms, and buffers that only old exports have
    /// (<c>position_ids</c>, <c>inv_freq</c>) are no obstacle.
    /// </remarks>
    /// <param name="model">The model. Of tied weights, one name in the folder is enough.</param>
    /// <param name="names">From a name in the model to the name in the folder; the same where not given.</param>
    /// <param name="mayBeMissing">Names in the model, or of modules, that the folder need not have, or may have in another shape, such as a new head: they keep their values. The folder's own heads are then ignored.</param>
    /// <param name="mayBeSurplus">Names in the folder, or of modules, that the model need not have; they are not read.</param>
    /// <returns>What was ignored, and what keeps its values.</returns>
    /// <exception cref="CheckpointException">Lists what is missing, what is surplus and what has another shape.</exception>
    public LoadedWeights Load(nn.Module model, Func<string, string>? names = null, IReadOnlySet<string>? mayBeMissing = null, IReadOnlySet<string>? mayBeSurplus = null)
    {
        var state = model.state_dict().Select(pair => (name: pair.Key, wanted: names is null ? pair.Key : names(pair.Key), target: pair.Value)).ToList();
        var match = new WeightNames(Names, state.Select(s => s.wanted));
        var surplus = Names.ToHashSet(StringComparer.Ordinal);
        var found = new Dictionary<TensorIdentity, (string Source, Tensor Target)>();
        var absent = new List<(string Name, TensorIdentity Identity)>();
        var unequal = new List<string>();
        foreach (var (name, wanted, target) in state)
        {
            var identity = TensorIdentity.Of(target);
            if (match.SourceOf(wanted) is not { } source)
            {
                absent.Add((name, identity));
                continue;
            }

            surplus.Remove(source);
            if (Entry(source) is var entry && !target.shape.AsSpan().SequenceEqual(entry.Shape))
            {
                if (WeightNames.IsNamed(mayBeMissing, name))
                    absent.Add((name, identity));
                else
                    unequal.Add($"{source}: [{string.Join(", ", entry.Shape)}] in the folder, [{string.Join(", ", target.shape)}] in the model");
                continue;
            }

            if (target.is_floating_point() != torch.is_floating_point(entry.DType))
            {
                unequal.Add($"{source}: {entry.DType} in the folder, {target.dtype} in the model");
                continue;
            }

            // Where the folder has a tied weight twice, the first name counts.
            found.TryAdd(identity, (source, target));
        }

        var missing = absent.Where(pair => !found.ContainsKey(pair.Identity)).Select(pair => pair.Name).ToList();
        var fresh = missing.Where(name => WeightNames.IsNamed(mayBeMissing, name)).ToList();
        missing.RemoveAll(fresh.Contains);
        var buffers = surplus.Where(name => WeightNames.IsOldBuffer(name, Entry(name))).Order(StringComparer.Ordinal).ToList();
        var heads = surplus.Except(buffers).Where(name => IsHead(name, state.Select(s => s.wanted), match, fresh.Count > 0)).Order(StringComparer.Ordinal).ToList();
        surplus.RemoveWhere(name => WeightNames.IsNamed(mayBeSurplus, name) || buffers.Contains(name) || heads.Contains(name));
        if (missing.Count + surplus.Count + unequal.Count > 0)
            throw new CheckpointException(
                $"{Folder}: the weights do not fit {model.GetName()}, nothing was loaded. Missing in the folder: {NameList.Of(missing)}. " +
                $"Surplus in the folder: {NameList.Of([.. surplus.Order(StringComparer.Ordinal)])}. Of another shape: {NameList.Of(unequal)}. " +
                "Build the model from this folder's config.json, or map the names." +
                (missing.Count > 0 && found.Count > 0 ? $" If a new head is meant to start as it is, name it: mayBeMissing: new HashSet<string> {{ \"{ModuleOf(missing[0])}\" }}." : ""));
        foreach (var file in found.Values.Select(pair => FileOf(pair.Source)).Distinct()) file.RequireWhole();
        foreach (var (source, target) in found.Values) FileOf(source).ReadInto(source, target);
        return new LoadedWeights([.. buffers, .. heads], fresh, [.. NotesOf(match, buffers, heads, fresh)]);
    }

    /// <summary>Whether a name is of a head beside the base that both have: one that the model lacks, where the base alone is loaded, or a new head is made.</summary>
    private static bool IsHead(string name, IEnumerable<string> wanted, WeightNames match, bool makesHead) =>
        match.Removed.Length > 0 ? !name.Contains(match.Removed, StringComparison.Ordinal)
        : makesHead && !wanted.Any(w => w.Split('.')[0] == name.Split('.')[0]) && (match.Added.Length == 0 || !wanted.Any(w => w.StartsWith($"{match.Added}{name.Split('.')[0]}.", StringComparison.Ordinal)));

    private static string ModuleOf(string name) => name.Contains('.', StringComparison.Ordinal) ? name[..name.LastIndexOf('.')] : name;

    private static IEnumerable<string> NotesOf(WeightNames match, List<string> buffers, List<string> heads, List<string> fresh)
    {
        if (match.Removed.Length > 0)
            yield return $"The folder's names begin with '{match.Removed}', which the model's do not.";
        if (match.Added.Length > 0)
            yield return $"The model's names begin with '{match.Added}', which the folder's do not.";
        if (buffers.Count > 0)
            yield return $"Buffers that only old exports have were ignored: {NameList.Of(buffers)}.";
        if (heads.Count > 0)
            yield return $"Heads that the model does not have were ignored: {NameList.Of(heads)}.";
        if (fresh.Count > 0)
            yield return $"What the folder does not have keeps its values: {NameList.Of(fresh)}.";
    }

    /// <summary>
    /// Writes a folder that transformers opens: the model's parameters and persistent buffers, tied ones under their first
    /// name only, and the configuration with <c>dtype</c> set to what was written. Other files there stay: a tokenizer is not
    /// part of a model.
    /// </summary>
    /// <param name="folder">The folder; it is created where it is missing. Both files change in one step, see <see cref="StagedFiles"/>.</param>
    /// <param name="model">The model, on any device.</param>
    /// <param name="config">The configuration; it is not changed.</param>
    /// <param name="names">From a name in the model to the name in the folder; the same where not given.</param>
    /// <exception cref="CheckpointException">Two tensors would get the same name, or one has an element type that the format lacks.</exception>
    public static void Save(string folder, nn.Module model, JsonObject config, Func<string, string>? names = null)
    {
        var written = new HashSet<TensorIdentity>();
        var tensors = model.state_dict()
            .Where(pair => written.Add(TensorIdentity.Of(pair.Value)))
            .Select(pair => (name: names is null ? pair.Key : names(pair.Key), tensor: pair.Value))
            .ToList();
        using var files = new StagedFiles(folder);
        SafetensorsWriter.Stage(files, Weights, tensors);
        files.Add(ConfigName, stream => JsonFile.Write(stream, WithDType(config, tensors.Select(pair => pair.tensor.dtype))));
        files.Commit();
    }

    /// <summary>Closes the files. A model that was loaded stays valid.</summary>
    public void Dispose() => _weights.Dispose();

    private static void RequireFolder(string folder)
    {
        if (!Directory.Exists(folder)) throw new CheckpointException($"{folder}: there is no such folder, expected a Hugging Face model folder. Check the path.");
    }

    private SafetensorsFile FileOf(string name) =>
        _weights.FileOf(name) ?? throw new CheckpointException($"{Folder}: there is no tensor '{name}'. The folder has {NameList.Of(Names)}.");

    /// <summary>transformers converts weights to the dtype that the configuration names: a stale one would round them.</summary>
    private static JsonObject WithDType(JsonObject config, IEnumerable<ScalarType> types)
    {
        var copy = config.DeepClone().AsObject();
        var floating = types.Where(torch.is_floating_point).Distinct().ToList();
        if (floating.Count != 1) return copy;
        var name = floating[0] switch
        {
            ScalarType.Float16 => "float16",
            ScalarType.BFloat16 => "bfloat16",
            ScalarType.Float64 => "float64",
            _ => "float32",
        };
        copy["dtype"] = name;
        // The key of transformers 4.
        if (copy.ContainsKey("torch_dtype")) copy["torch_dtype"] = name;
        return copy;
    }
}
