using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using PeftGen.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>A recorded case: settings, adapter files, expected tensors.</summary>
/// <param name="Name">family/name.</param>
/// <param name="Folder">The case's folder.</param>
/// <param name="HostFolder">The folder of its host.</param>
/// <param name="Settings">case.json.</param>
public sealed record GoldenCase(string Name, string Folder, string HostFolder, JsonObject Settings)
{
    /// <summary>The folder with the saved adapter, or one folder for each adapter.</summary>
    public string AdapterFolder => Path.Combine(Folder, "adapter");

    /// <summary>The names of the adapters where there are several folders; empty: one adapter.</summary>
    public IReadOnlyList<string> AdapterNames =>
        File.Exists(Path.Combine(AdapterFolder, "adapter_config.json"))
            ? []
            : Directory.GetDirectories(AdapterFolder).Select(d => Path.GetFileName(d)!).Order(StringComparer.Ordinal).ToList();

    /// <summary>The configuration that case.json records for the one adapter; null where it has none.</summary>
    public JsonObject? Configuration =>
        Settings["config"] as JsonObject ?? (Settings["adapters"] is JsonObject { Count: 1 } adapters ? adapters.First().Value as JsonObject : null);

    /// <summary>How far outputs may be off, relative to the largest expected value.</summary>
    public double Tolerance => Settings["tolerance"]?.GetValue<double>() ?? 1e-5;

    /// <summary>How far gradients and trained values may be off.</summary>
    public double TrainingTolerance => Math.Max(1e-4, Settings["tolerance"]?.GetValue<double>() ?? 0);

    public static IEnumerable<GoldenCase> Find(string root, IReadOnlyList<string> filters)
    {
        var patterns = filters.Select(f => new Regex($@"\A{Regex.Escape(f).Replace(@"\*", ".*", StringComparison.Ordinal)}\z")).ToList();
        foreach (var file in Directory.EnumerateFiles(Path.Combine(root, "cases"), "case.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            var folder = Path.GetDirectoryName(file)!;
            var name = Path.GetRelativePath(Path.Combine(root, "cases"), folder).Replace('\\', '/');
            if (patterns.Count > 0 && !patterns.Any(p => p.IsMatch(name)))
                continue;
            var settings = (JsonObject)JsonNode.Parse(File.ReadAllText(file))!;
            yield return new GoldenCase(name, folder, Path.Combine(root, "hosts", settings["host"]!.GetValue<string>()), settings);
        }
    }

    public ExpectedTensors ReadExpected() => new(Path.Combine(Folder, "expected.safetensors"));
}

/// <summary>The expected tensors; each has to be compared, or the case fails.</summary>
public sealed class ExpectedTensors : IDisposable
{
    private readonly SafetensorsFile _file;
    private readonly HashSet<string> _open;

    public ExpectedTensors(string path)
    {
        _file = SafetensorsFile.Open(path);
        _open = [.. _file.Names];
    }

    public int Compared { get; private set; }

    public double LargestError { get; private set; }

    /// <summary>The keys that were not compared yet.</summary>
    public IReadOnlyCollection<string> Open => _open;

    public bool Has(string key) => _file.Contains(key);

    public IReadOnlyList<string> Keys(string prefix) => _file.Names.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();

    /// <summary>An input; the caller owns it.</summary>
    public Tensor Take(string key)
    {
        _open.Remove(key);
        return _file.Read(key);
    }

    /// <summary>Compares a computed tensor with the expected one.</summary>
    /// <exception cref="ParityException">They differ.</exception>
    public void Compare(string key, Tensor actual, double tolerance)
    {
        _open.Remove(key);
        using var scope = NewDisposeScope();
        var expected = _file.Read(key);
        if (!expected.shape.SequenceEqual(actual.shape))
            throw new ParityException($"{key}: the shape is [{string.Join(", ", actual.shape)}], expected [{string.Join(", ", expected.shape)}]");
        var (e, a) = (expected.to(ScalarType.Float64), actual.detach().cpu().to(ScalarType.Float64));
        var scale = Math.Max(e.abs().max().item<double>(), 1e-12);
        var difference = (e - a).abs();
        var error = difference.max().item<double>() / scale;
        Compared++;
        LargestError = Math.Max(LargestError, double.IsNaN(error) ? double.PositiveInfinity : error);
        if (error <= tolerance)
            return;
        var at = difference.flatten().argmax().item<long>();
        throw new ParityException(
            $"{key}: {a.flatten()[at].item<double>():G9}, expected {e.flatten()[at].item<double>():G9} at {at} of {e.numel()}; largest error {error:E1} of the largest value, allowed {tolerance:E0}");
    }

    /// <summary>Compares by a rule of the check's own.</summary>
    public void CompareBy(string key, Action<Tensor> compare)
    {
        using var recorded = Take(key);
        compare(recorded);
        Compared++;
    }

    public void Dispose() => _file.Dispose();
}

/// <summary>What was computed is not what was recorded.</summary>
public sealed class ParityException(string message) : Exception(message);

/// <summary>The case needs a host or method that does not exist here.</summary>
public sealed class UnsupportedException(string message) : Exception(message);
