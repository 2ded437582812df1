using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>
/// Compares random starts. A uniform start is an affine function of consecutive draws of torch's generator, a normal one its Box-Muller
/// function of them, so two starts are the same if both are the same function of the streams of their own seeds. Every number takes part.
/// </summary>
internal sealed class RandomStart
{
    private const int Seeds = 16;

    // The recorded starts come after the construction of the host, from the seed that this set; which one is not recorded,
    // nor how many draws a host of that size takes.
    private static readonly int[] Lengths = [1 << 20, 1 << 23];
    private readonly float[]?[] _streams = new float[Seeds][];

    /// <summary>Requires that a recorded start is drawn as ours is.</summary>
    /// <param name="key">The tensor's key.</param>
    /// <param name="recorded">The recorded start.</param>
    /// <param name="ours">Our start.</param>
    /// <param name="seed">The seed of the generator that ours was made with.</param>
    public void Compare(string key, Tensor recorded, Tensor ours, ulong seed)
    {
        if (!recorded.shape.SequenceEqual(ours.shape))
            throw new ParityException($"{key}: the shape is [{string.Join(", ", ours.shape)}], expected [{string.Join(", ", recorded.shape)}]");
        var own = Stretch.Find(Values(ours), Stream(seed, Lengths[0]))
            ?? throw new UnsupportedException($"{key}: our start is neither uniform nor normal, and other random starts cannot be compared by number");
        var values = Values(recorded);
        var theirs = Lengths.SelectMany(length => Enumerable.Range(0, Seeds).Select(s => Stretch.Find(values, StreamOf(s, length)))).FirstOrDefault(f => f is not null)
            ?? throw new ParityException($"{key}: the recorded start is no stretch of torch's uniform or normal draws: a number in it is off");
        if (own.IsNormal != theirs.IsNormal || Math.Abs(own.Factor - theirs.Factor) > 1e-4 * theirs.Factor || Math.Abs(own.Offset - theirs.Offset) > 1e-4 * theirs.Factor)
            throw new ParityException($"{key}: ours is {own}, expected {theirs}");
    }

    private float[] StreamOf(int seed, int length) => length == Lengths[0] ? _streams[seed] ??= Stream((ulong)seed, length) : Stream((ulong)seed, length);

    private static float[] Stream(ulong seed, int length)
    {
        using var generator = new Generator(seed);
        using var draws = rand(length, generator: generator);
        return draws.data<float>().ToArray();
    }

    private static float[] Values(Tensor tensor)
    {
        using var flat = tensor.detach().cpu().to(ScalarType.Float32).flatten().contiguous();
        return flat.data<float>().ToArray();
    }
}
