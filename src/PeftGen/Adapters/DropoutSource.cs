using static TorchSharp.torch;

namespace PeftGen;

/// <summary>The adapter's own randomness for dropout, so that what other adapters and threads draw does not change it.</summary>
public sealed class DropoutSource(long seed)
{
    private Dictionary<string, Generator> _generators = [];

    /// <summary>Drops entries with probability <paramref name="p"/> and scales the others by 1/(1−p).</summary>
    /// <param name="x">The input, any shape.</param>
    /// <param name="p">The probability, in [0, 1).</param>
    /// <returns>A tensor that the caller owns.</returns>
    public Tensor Drop(Tensor x, double p)
    {
        using var mask = empty(x.shape, dtype: x.dtype, device: x.device).bernoulli_(1 - p, For(x.device)).div_(1 - p);
        return x * mask;
    }

    /// <summary>Drops whole examples with probability <paramref name="p"/> and scales the others by 1/(1−p).</summary>
    /// <param name="x">The input, <c>[batch, …]</c>.</param>
    /// <param name="p">The probability, in [0, 1).</param>
    /// <returns>A tensor that the caller owns.</returns>
    public Tensor DropRows(Tensor x, double p)
    {
        long[] rows = [x.shape[0], .. Enumerable.Repeat(1L, (int)x.dim() - 1)];
        using var mask = empty(rows, dtype: x.dtype, device: x.device).bernoulli_(1 - p, For(x.device)).div_(1 - p);
        return x * mask;
    }

    /// <summary>The seed of generators that were not used yet.</summary>
    internal long Seed { get; private set; } = seed;

    /// <summary>The generators that were used, by device, each with a copy of its state.</summary>
    internal IEnumerable<(string device, Tensor state)> States() => _generators.Select(g => (g.Key, g.Value.get_state().DetachFromDisposeScope()));

    /// <summary>Goes back to a seed and states that <see cref="States"/> gave.</summary>
    internal void Restore(long newSeed, IEnumerable<(string device, Tensor state)> states) => Replace(newSeed, GeneratorsOf(states));

    /// <summary>Generators in states that may come from anywhere. The caller owns them, until <see cref="Replace"/>.</summary>
    /// <exception cref="AdapterException">A state is none.</exception>
    internal static Dictionary<string, Generator> GeneratorsOf(IEnumerable<(string device, Tensor state)> states)
    {
        var generators = new Dictionary<string, Generator>();
        try
        {
            foreach (var (device, state) in states)
                generators[device] = GeneratorState.Restore(device, state);
            return generators;
        }
        catch
        {
            foreach (var generator in generators.Values)
                generator.Dispose();
            throw;
        }
    }

    /// <summary>Takes another seed and other generators in place of its own.</summary>
    internal void Replace(long newSeed, Dictionary<string, Generator> generators)
    {
        foreach (var generator in _generators.Values)
            generator.Dispose();
        (Seed, _generators) = (newSeed, generators);
    }

    private Generator For(Device device)
    {
        var key = device.ToString();
        if (!_generators.TryGetValue(key, out var generator))
            _generators[key] = generator = new Generator((ulong)Seed, device);
        return generator;
    }
}
