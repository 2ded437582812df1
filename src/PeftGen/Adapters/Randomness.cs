using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>All that a block draws random numbers from: torch's own generator for the host's dropout, and the adapters' own.</summary>
/// <param name="sources">The adapters' own.</param>
internal sealed class Randomness(IReadOnlyList<DropoutSource> sources)
{
    /// <summary>The present state.</summary>
    public RandomState Save() => new(get_rng_state().DetachFromDisposeScope(), [.. sources.Select(source => (source.Seed, source.States().ToList()))]);

    /// <summary>Goes back to a state that <see cref="Save"/> gave.</summary>
    public void Restore(RandomState state)
    {
        set_rng_state(state.Global);
        foreach (var (source, (seed, states)) in sources.Zip(state.Sources))
            source.Restore(seed, states);
    }
}

/// <summary>A state of <see cref="Randomness"/>.</summary>
internal sealed record RandomState(Tensor Global, IReadOnlyList<(long seed, List<(string device, Tensor state)> states)> Sources) : IDisposable
{
    public void Dispose()
    {
        Global.Dispose();
        foreach (var (_, states) in Sources)
            states.ForEach(entry => entry.state.Dispose());
    }
}
