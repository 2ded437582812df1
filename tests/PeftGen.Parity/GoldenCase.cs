using System.Globalization;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>A recorded case: settings, adapter files, expected tensors. Files are read when they are asked for.</summary>
/// <param name="root">The folder with <c>hosts/</c> and <c>cases/</c>.</param>
/// <param name="name">family/name.</param>
public sealed class GoldenCase(string root, string name)
{
    private const string ConfigFile = "adapter_config.json";
    private readonly Lazy<JsonObject> _settings = new(() => ReadJson(Path.Combine(root, "cases", name, "case.json")));

    /// <summary>family/name.</summary>
    public string Name => name;

    /// <summary>The case's folder.</summary>
    public string Folder => Path.Combine(root, "cases", name);

    /// <summary>case.json.</summary>
    public JsonObject Settings => _settings.Value;

    /// <summary>The folder of its host.</summary>
    /// <exception cref="UnsupportedException">The case has none: what it records is no adapter's.</exception>
    public string HostFolder
    {
        get
        {
            var host = Settings["host"]?.GetValue<string>() ?? "";
            return host.Length > 0 ? Path.Combine(root, "hosts", host) : throw new UnsupportedException("case.json names no host, so there is no model to adapt");
        }
    }

    /// <summary>The host's configuration.</summary>
    public JsonObject HostConfiguration => ReadJson(Path.Combine(HostFolder, "config.json"));

    /// <summary>The folder with the saved adapter, or with one folder for each adapter.</summary>
    public string AdapterFolder => Path.Combine(Folder, "adapter");

    /// <summary>
    /// The folders of the adapters by name, where there are several; empty: one adapter. The reference saves an adapter
    /// called <c>default</c> into the folder itself and the others into folders below.
    /// </summary>
    public IReadOnlyDictionary<string, string> AdapterFolders
    {
        get
        {
            var folders = Directory.GetDirectories(AdapterFolder).Where(HasConfig).ToDictionary(folder => Path.GetFileName(folder), StringComparer.Ordinal);
            if (folders.Count > 0 && HasConfig(AdapterFolder))
                folders["default"] = AdapterFolder;
            return folders.OrderBy(f => f.Key, StringComparer.Ordinal).ToDictionary(StringComparer.Ordinal);
        }
    }

    /// <summary>The configuration that case.json records for the one adapter; null where it has none.</summary>
    public JsonObject? Configuration =>
        Settings["config"] as JsonObject ?? (Settings["adapters"] is JsonObject { Count: 1 } adapters ? adapters.First().Value as JsonObject : null);

    /// <summary>Whether the adapters in several folders are one here, each of them for rows of its own.</summary>
    public bool IsJoint => Settings["setup"]?["type"]?.ToString() == "MultiTask";

    /// <summary>A key of the one adapter, or of the several that are one, as files have it.</summary>
    /// <param name="pattern">The key with places for names.</param>
    public string KeyOf(string pattern) => AdapterFolders.Keys.Index().Aggregate(
        pattern.Replace("{name}", AdapterName, StringComparison.Ordinal), (key, name) => key.Replace($"{{name.{name.Index}}}", name.Item, StringComparison.Ordinal));

    /// <summary>The name of the one adapter.</summary>
    public string AdapterName => Settings["adapters"] is JsonObject { Count: 1 } adapters ? adapters.First().Key : "default";

    /// <summary>Whose files the adapters are.</summary>
    public FileFormat Format => Settings["library"]?.GetValue<string>() == "AdapterHub" ? FileFormat.AdapterHub : FileFormat.HuggingFace;

    /// <summary>What the host computes in.</summary>
    public ScalarType HostType => Settings["family"]?.GetValue<string>() == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32;

    /// <summary>What the adapter is in: as wide as float32 beside a narrower host, unless the case says otherwise.</summary>
    public ScalarType AdapterType => Settings["autocast_adapter_dtype"]?.GetValue<bool>() == false ? HostType : ScalarType.Float32;

    /// <summary>How far outputs may be off, relative to the largest expected value.</summary>
    public double Tolerance => Number("tolerance") ?? 1e-5;

    /// <summary>How far gradients and trained values may be off.</summary>
    public double TrainingTolerance => Math.Max(1e-4, Number("tolerance") ?? 0);

    /// <summary>Finds the cases of a folder, by name.</summary>
    /// <param name="root">The folder with <c>hosts/</c> and <c>cases/</c>.</param>
    /// <param name="filters">Names with <c>*</c> for any characters; empty: all cases.</param>
    public static IEnumerable<GoldenCase> Find(string root, IReadOnlyList<string> filters)
    {
        var cases = Path.Combine(root, "cases");
        var patterns = filters.Select(f => new Regex($@"\A{Regex.Escape(f).Replace(@"\*", ".*", StringComparison.Ordinal)}\z")).ToList();
        return Directory.EnumerateFiles(cases, "case.json", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(cases, Path.GetDirectoryName(file)!).Replace('\\', '/'))
            .Where(name => patterns.Count == 0 || patterns.Any(p => p.IsMatch(name)))
            .Order(StringComparer.Ordinal).Select(name => new GoldenCase(root, name));
    }

    /// <summary>A number of case.json; null where it has none of that name.</summary>
    public double? Number(string field) => Settings[field] is { } value ? Number(value) : null;

    /// <summary>A number, however it is written.</summary>
    public static double Number(JsonNode value) => double.Parse(value.ToJsonString(), CultureInfo.InvariantCulture);

    public ExpectedTensors ReadExpected() => new(Path.Combine(Folder, "expected.safetensors"));

    private static bool HasConfig(string folder) => File.Exists(Path.Combine(folder, ConfigFile));

    private static JsonObject ReadJson(string path) =>
        JsonNode.Parse(File.ReadAllText(path)) as JsonObject ?? throw new ParityException($"{path}: expected a JSON object");
}
