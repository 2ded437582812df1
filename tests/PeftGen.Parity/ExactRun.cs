using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>
/// A case of a narrow type in float64, from the same rounded weights. In bfloat16 the order in which a kernel adds decides the last digits, so that numbers of another processor can be off by more than any
/// tolerance that would still find a mistake. Float64 says who is nearer: the recorded numbers have to be within the tolerance of it, and ours no farther from it than they.
/// </summary>
/// <param name="type">The host's class.</param>
/// <param name="golden">The case.</param>
/// <param name="inputs">Its inputs.</param>
public sealed class ExactRun(Type type, GoldenCase golden, Inputs inputs)
{
    private readonly Dictionary<string, Tensor> _exact = [];

    /// <summary>What to ask where a number differs; null: the case is of a wide type, and differences are mistakes.</summary>
    /// <param name="key">The number's key: <c>base_logits</c>, <c>logits</c>, <c>loss</c> or <c>grad.</c> and a parameter's.</param>
    /// <param name="tolerance">How far the recorded numbers may be from the exact ones, relative to the largest of these.</param>
    /// <param name="trained">What learns in an adapter, by its key.</param>
    public Func<Tensor, Tensor, bool>? Of(string key, double tolerance, Func<AdapterNode, Dictionary<string, Tensor>> trained) => golden.HostType == ScalarType.Float32 ? null : (recorded, ours) =>
    {
        if (_exact.Count == 0)
            Run(trained);
        return _exact.TryGetValue(key, out var exact) && IsNoFarther(recorded, ours, exact, tolerance);
    };

    /// <summary>Whether ours are no farther from the exact numbers than the recorded ones, and these are within a tolerance.</summary>
    public static bool IsNoFarther(Tensor recorded, Tensor ours, Tensor exact, double tolerance)
    {
        using var scope = NewDisposeScope();
        var (theirs, own) = ((recorded - exact).abs().max().item<double>(), (ours - exact).abs().max().item<double>());
        return own <= theirs && theirs <= tolerance * exact.abs().max().item<double>();
    }

    private void Run(Func<AdapterNode, Dictionary<string, Tensor>> trained)
    {
        var host = new CompiledHost(type, golden.HostFolder, golden.HostType);
        host.Model.to(ScalarType.Float64);
        var adapter = host.Load(golden.AdapterFolder);
        if (golden.AdapterType == golden.HostType)
            adapter = adapter.to(golden.AdapterType).to(ScalarType.Float64);
        using (no_grad())
            _exact["base_logits"] = host.Run(inputs);
        var logits = host.Run(adapter, inputs);
        var loss = CompiledHost.Loss(logits, inputs);
        loss.backward();
        (_exact["logits"], _exact["loss"]) = (logits.detach(), loss.detach());
        foreach (var (key, parameter) in trained(adapter).Where(p => p.Value.grad is not null))
            _exact[$"grad.{key}"] = parameter.grad!.detach().clone();
    }
}
