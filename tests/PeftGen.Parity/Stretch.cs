namespace PeftGen.Parity;

/// <summary>How a tensor's numbers follow from a stretch of a stream of uniform draws.</summary>
/// <param name="IsNormal">Whether they are normal with the deviation <paramref name="Factor"/>, not uniform over <paramref name="Factor"/> from <paramref name="Offset"/>.</param>
/// <param name="Factor">What the standard draws are multiplied with.</param>
/// <param name="Offset">What is added to them.</param>
public sealed record Stretch(bool IsNormal, double Factor, double Offset)
{
    // torch draws 16 uniform numbers for 16 normal ones: the first 8 give the radii, the last 8 the angles. Tensors of fewer are drawn otherwise.
    private const int Chunk = 16;
    private const int Half = Chunk / 2;

    /// <summary>Finds the stretch that all the values come from.</summary>
    /// <param name="values">The values, in the order of the tensor.</param>
    /// <param name="stream">Uniform draws from 0 to 1.</param>
    /// <returns>The function, or null where there is no such stretch.</returns>
    public static Stretch? Find(float[] values, float[] stream) => FindUniform(values, stream) ?? FindNormal(values, stream);

    /// <inheritdoc/>
    public override string ToString() => IsNormal ? $"normal with the deviation {Factor:G6}" : $"uniform from {Offset:G6} to {Offset + Factor:G6}";

    private static Stretch? FindUniform(float[] values, float[] stream)
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
                return new Stretch(false, factor, offset);
        }

        return null;
    }

    private static Stretch? FindNormal(float[] values, float[] stream)
    {
        if (values.Length < Chunk)
            return null;
        // The last numbers of a length that is no multiple of 16 are drawn once more, as a chunk of their own.
        var tail = values.Length % Chunk == 0 ? 0 : Chunk;
        var angle = Math.Atan2(values[Half], values[0]) / (2 * Math.PI);
        angle -= Math.Floor(angle);
        for (var start = 0; start + values.Length + tail <= stream.Length; start++)
        {
            if (Math.Abs(stream[start + Half] - angle) > 1e-4)
                continue;
            var factor = Math.Sqrt((Square(values[0]) + Square(values[Half])) / (-2 * Math.Log(1 - (double)stream[start])));
            var fits = true;
            for (var at = 0; fits && at + Chunk <= values.Length; at += Chunk)
                fits = Fits(values, at, Math.Min(at + Chunk, values.Length - tail), stream, start + at, factor);
            if (fits && (tail == 0 || Fits(values, values.Length - Chunk, values.Length, stream, start + values.Length, factor)))
                return new Stretch(true, factor, 0);
        }

        return null;
    }

    // Whether the values of a chunk, up to an end, come from its draws.
    private static bool Fits(float[] values, int at, int end, float[] stream, int from, double factor)
    {
        for (var i = 0; i < Half; i++)
        {
            var radius = factor * Math.Sqrt(-2 * Math.Log(1 - (double)stream[from + i]));
            var (sin, cos) = Math.SinCos(2 * Math.PI * stream[from + Half + i]);
            if (at + i < end && Math.Abs(radius * cos - values[at + i]) > 1e-5 * factor || at + Half + i < end && Math.Abs(radius * sin - values[at + Half + i]) > 1e-5 * factor)
                return false;
        }

        return true;
    }

    private static double Square(double number) => number * number;
}
