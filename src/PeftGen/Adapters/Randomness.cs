using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>All that a block draws random numbers from: torch's own generator for the host's dropout, and the adapters' own.</summary>
/// <param name="sources">The adapters' own.</param>
internal sealed class Randomness(IReadOnlyList<DropoutSource> sources)
{
    /// <summary>The present state.</summary>
    public RandomState Save() => new(BytesOf(get_rng_state()), [.. sources.Select(source => (source.Seed, source.States().Select(s => (s.device, BytesOf(s.state))).ToList()))]);

    /// <summary>Goes back to a state that <see cref="Save"/> gave, as often as is wanted.</summary>
    public void Restore(RandomState state)
    {
        using var scope = NewDisposeScope();
        set_rng_state(tensor(state.Global));
        foreach (var (source, (seed, states)) in sources.Zip(state.Sources))
            source.Restore(seed, states.Select(s => (s.device, tensor(s.state))).ToList());
    }

    private static byte[] BytesOf(Tensor state)
    {
        using (state)
            return state.data<byte>().ToArray();
    }
}

/// <summary>A state of <see cref="Randomness"/>. Bytes, not tensors: a graph that is never run backward, or twice, needs nobody to dispose it.</summary>
internal sealed record RandomState(byte[] Global, IReadOnlyList<(long seed, List<(string device, byte[] state)> states)> Sources);
