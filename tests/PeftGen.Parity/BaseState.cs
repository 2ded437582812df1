using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>The base as it was before any adapter: the bits of its parameters and of its output.</summary>
internal sealed class BaseState
{
    private readonly CompiledHost _host;
    private readonly Inputs _inputs;
    private readonly IReadOnlyDictionary<string, byte[]> _parameters;
    private readonly byte[] _output;

    public BaseState(CompiledHost host, Inputs inputs, Tensor output)
    {
        (_host, _inputs, _output) = (host, inputs, Bits(output));
        _parameters = host.Model.named_parameters().ToDictionary(p => p.name, p => Bits(p.parameter));
    }

    /// <summary>Requires that nothing of it has changed.</summary>
    /// <param name="after">What was done, for the message.</param>
    /// <exception cref="ParityException">A bit differs.</exception>
    public void RequireSameBits(string after)
    {
        foreach (var (name, parameter) in _host.Model.named_parameters())
            if (!_parameters[name].AsSpan().SequenceEqual(Bits(parameter)))
                throw new ParityException($"{name}: {after} changed the base's bits");
        using var quiet = no_grad();
        using var output = _host.Run(_inputs);
        if (!_output.AsSpan().SequenceEqual(Bits(output)))
            throw new ParityException($"{after} changed the output of the model alone");
    }

    private static byte[] Bits(Tensor tensor)
    {
        using var detached = tensor.detach();
        using var copy = detached.cpu().contiguous().clone();
        return copy.bytes.ToArray();
    }
}
