using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Checkpoints;

/// <summary>The weights of a Hugging Face folder, in one file or in several with an index; by name it makes no difference.</summary>
internal sealed class SafetensorsShards : IDisposable
{
    private const string Single = "model.safetensors";
    private const string Index = "model.safetensors.index.json";

    private readonly List<SafetensorsFile> _files = [];
    private readonly Dictionary<string, SafetensorsFile> _fileOf = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];

    private SafetensorsShards() { }

    public IReadOnlyList<string> Names => _names;

    /// <summary>The file that holds a tensor, or null.</summary>
    public SafetensorsFile? FileOf(string name) => _fileOf.GetValueOrDefault(name);

    /// <summary>Opens all files, through a snapshot. The single file wins over an index, as in transformers.</summary>
    public static SafetensorsShards Open(FolderSnapshot files, string folder)
    {
        var shards = new SafetensorsShards();
        try
        {
            var (single, index) = (Path.Combine(folder, Single), Path.Combine(folder, Index));
            if (files.Has(single)) shards.OpenSingle(files, single);
            else if (files.Has(index)) shards.OpenIndexed(files, folder, index);
            else
                throw new CheckpointException(
                    $"{folder}: there is neither {Single} nor {Index}. " +
                    (CheckpointFile.Exists(Path.Combine(folder, "pytorch_model.bin")) ? "Convert pytorch_model.bin to safetensors first." : "Check that this is a Hugging Face model folder."));
            return shards;
        }
        catch
        {
            shards.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        foreach (var file in _files) file.Dispose();
    }

    private void OpenSingle(FolderSnapshot files, string path)
    {
        var file = files.Weights(path);
        _files.Add(file);
        foreach (var name in file.Names) Add(name, file);
    }

    private void OpenIndexed(FolderSnapshot files, string folder, string index)
    {
        var map = ReadWeightMap(files, folder, index);
        var missing = map.Values.Distinct().Where(shard => !files.Has(Path.Combine(folder, shard))).Order(StringComparer.Ordinal).ToList();
        if (missing.Count > 0)
            throw new CheckpointException($"{index}: the index names files that are not in the folder: {NameList.Of(missing)}. Fetch them.");

        var opened = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        var absent = new List<string>();
        foreach (var (name, shard) in map)
        {
            if (!opened.TryGetValue(shard, out var file))
            {
                opened.Add(shard, file = files.Weights(Path.Combine(folder, shard)));
                _files.Add(file);
            }
            if (file.Contains(name)) Add(name, file);
            else absent.Add($"{name} in {shard}");
        }
        if (absent.Count > 0)
            throw new CheckpointException($"{index}: the index names tensors that are not in their files: {NameList.Of(absent)}. Index and files belong to different models: fetch them again.");
    }

    private void Add(string name, SafetensorsFile file)
    {
        _names.Add(name);
        _fileOf.Add(name, file);
    }

    private static Dictionary<string, string> ReadWeightMap(FolderSnapshot files, string folder, string index)
    {
        if (files.Json(index, "the index of a sharded model")["weight_map"] is not JsonObject weights)
            throw new CheckpointException($"{index}: there is no object 'weight_map', expected one from tensor names to file names. Fetch the file again.");
        var map = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, node) in weights)
        {
            if (node?.GetValueKind() != JsonValueKind.String)
                throw new CheckpointException($"{index}: weight_map '{name}' is {JsonFile.Shown(node)}, expected a file name. Fetch the file again.");
            var shard = node.GetValue<string>();
            if (!IsInside(folder, shard))
                throw new CheckpointException($"{index}: weight_map '{name}' is '{shard}', expected a file within the folder. Do not load this model: its index points elsewhere.");
            map.Add(name, shard);
        }
        return map;
    }

    /// <summary>
    /// Whether a path, as it is written, stays in the folder. Links are followed on purpose: the Hugging Face cache keeps its
    /// files as links to another folder.
    /// </summary>
    private static bool IsInside(string folder, string path)
    {
        // Backslashes lead out of the folder on Windows only, but an index that has them is refused everywhere.
        if (path.Length == 0 || path.Contains('\\') || path.Contains('\0') || Path.IsPathRooted(path)) return false;
        var root = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)) + Path.DirectorySeparatorChar;
        return Path.GetFullPath(Path.Combine(root, path)).StartsWith(root, StringComparison.Ordinal);
    }
}
