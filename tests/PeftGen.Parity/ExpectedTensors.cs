using PeftGen.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The expected tensors; each has to be compared, or the case fails.</summary>
public sealed class ExpectedTensors : IDisposable
{
    private readonly SafetensorsFile _file;
    private readonly HashSet<string> _open;
    private readonly HashSet<string> _compared = [];

    public ExpectedTensors(string path)
    {
        _file = SafetensorsFile.Open(path);
        _open = [.. _file.Names];
    }

    /// <summary>How many tensors were compared.</summary>
    public int Compared => _compared.Count;

    /// <summary>The largest error of all, each relative to the largest value of its tensor.</summary>
    public double LargestError { get; private set; }

    /// <summary>The keys that were neither compared nor taken as inputs yet.</summary>
    public IReadOnlyCollection<string> Open => _open;

    public bool Has(string key) => _file.Contains(key);

    public IReadOnlyList<string> Keys(string prefix) => _file.Names.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal).ToList();

    /// <summary>An expected tensor to look at, which still has to be compared; the caller owns it.</summary>
    public Tensor Peek(string key) => _file.Read(key);

    /// <summary>An input; the caller owns it.</summary>
    public Tensor Take(string key)
    {
        _open.Remove(key);
        return _file.Read(key);
    }

    /// <summary>Compares a computed tensor with the expected one.</summary>
    /// <param name="key">The key.</param>
    /// <param name="actual">What was computed.</param>
    /// <param name="tolerance">How far each number may be off, relative to the largest expected one.</param>
    /// <param name="rounding">What rounding alone can do to each number besides, of the tensor's shape; null: nothing.</param>
    /// <param name="excuses">Asked about the expected and the computed tensor, in float64, where they differ by more: whether that is no fault of ours; null: it is.</param>
    /// <exception cref="ParityException">They differ.</exception>
    public void Compare(string key, Tensor actual, double tolerance, Tensor? rounding = null, Func<Tensor, Tensor, bool>? excuses = null)
    {
        Count(key);
        using var scope = NewDisposeScope();
        var expected = _file.Read(key);
        if (!expected.shape.SequenceEqual(actual.shape))
            throw new ParityException($"{key}: the shape is [{string.Join(", ", actual.shape)}], expected [{string.Join(", ", expected.shape)}]");
        if (expected.numel() == 0)
            return;
        var (e, a) = (expected.to(ScalarType.Float64), actual.detach().cpu().to(ScalarType.Float64));
        var scale = Math.Max(e.abs().max().item<double>(), 1e-12);
        var difference = (e - a).abs();
        if (rounding is not null)
            difference = (difference - rounding).clamp_min(0);
        var error = difference.max().item<double>() / scale;
        LargestError = Math.Max(LargestError, double.IsNaN(error) ? double.PositiveInfinity : error);
        if (error <= tolerance || excuses?.Invoke(e, a) == true)
            return;
        var at = difference.flatten().argmax().item<long>();
        throw new ParityException(
            $"{key}: {a.flatten()[at].item<double>():G9}, expected {e.flatten()[at].item<double>():G9} at {at} of {e.numel()}; largest error {error:0.0e+00} of the largest value, allowed {tolerance:0e+00}");
    }

    /// <summary>Compares by a rule of the check's own.</summary>
    public void CompareBy(string key, Action<Tensor> compare)
    {
        Count(key);
        using var recorded = _file.Read(key);
        compare(recorded);
    }

    public void Dispose() => _file.Dispose();

    private void Count(string key)
    {
        _open.Remove(key);
        _compared.Add(key);
    }
}
