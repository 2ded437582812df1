using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity;

/// <summary>
/// Compares random starts. A uniform start is an affine function of consecutive draws of torch's generator, so two starts are the same
/// if both are such functions, with the same factor and offset, of the streams of their own seeds. Every number takes part.
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
        var own = Find(Values(ours), Stream(seed, Lengths[0]))
            ?? throw new UnsupportedException($"{key}: our start is no uniform one, and other random starts cannot be compared by number");
        var values = Values(recorded);
        var theirs = Lengths.SelectMany(length => Enumerable.Range(0, Seeds).Select(s => Find(values, StreamOf(s, length)))).FirstOrDefault(f => f is not null)
            ?? throw new ParityException($"{key}: the recorded start is no stretch of torch's uniform draws, as ours is: a number in it is off");
        var (factor, offset) = (own.factor - theirs.factor, own.offset - theirs.offset);
        if (Math.Abs(factor) > 1e-4 * theirs.factor || Math.Abs(offset) > 1e-4 * theirs.factor)
            throw new ParityException($"{key}: ours is uniform from {own.offset:G6} to {own.offset + own.factor:G6}, expected {theirs.offset:G6} to {theirs.offset + theirs.factor:G6}");
    }

    private static (double factor, double offset)? Find(float[] values, float[] stream)
    {
        var low = Array.IndexOf(values, values.Min());
        var high = Array.IndexOf(values, values.Max());
        for (var start = 0; start + values.Length <= stream.Length; start++)
        {
            double spread = stream[start + high] - stream[start + low];
            if (spread < 0.5)
                continue;
            var factor = (values[high] - (double)values[low]) / spread;
            var offset = values[low] - factor * stream[start + low];
            var fits = true;
            for (var i = 0; fits && i < values.Length; i++)
                fits = Math.Abs(offset + factor * stream[start + i] - values[i]) <= 2e-6 * factor;
            if (fits)
                return (factor, offset);
        }

        return null;
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
