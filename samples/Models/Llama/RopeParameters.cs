namespace PeftGen.Models;

/// <summary>How rotary position embedding (https://arxiv.org/abs/2104.09864) turns the pairs of a head.</summary>
/// <param name="Theta">The base of the geometric row of wavelengths.</param>
/// <param name="Llama3">How Llama 3.1 stretches the long wavelengths; null: not at all.</param>
public sealed record RopeParameters(double Theta = 10_000, Llama3Scaling? Llama3 = null)
{
    /// <summary>One frequency for each pair, in radians a token.</summary>
    /// <param name="headDim">The width of a head: twice the number of pairs.</param>
    public float[] Frequencies(long headDim)
    {
        var frequencies = new float[headDim / 2];
        for (var pair = 0; pair < frequencies.Length; pair++)
        {
            var frequency = 1f / MathF.Pow((float)Theta, 2f * pair / headDim);
            frequencies[pair] = Llama3?.Scale(frequency) ?? frequency;
        }
        return frequencies;
    }

    /// <summary>Reads <c>rope_parameters</c>, or <c>rope_theta</c> and <c>rope_scaling</c> of older files.</summary>
    internal static RopeParameters Read(ConfigReader config)
    {
        var rope = config.Nested("rope_parameters") ?? config.Nested("rope_scaling");
        var theta = rope?.Number("rope_theta", double.NaN) is { } own and not double.NaN ? own : config.Number("rope_theta", 10_000);
        if (rope is null) return new RopeParameters(theta);
        var field = rope.Text("rope_type", null) is null ? "type" : "rope_type";
        var type = rope.Text(field, "default");
        rope.Require(type is "default" or "llama3", field, "\"default\" or \"llama3\"");
        rope.Require(rope.Number("partial_rotary_factor", 1) == 1, "partial_rotary_factor", "1");
        return new RopeParameters(theta, type == "llama3" ? Llama3Scaling.Read(rope, config) : null);
    }
}

/// <summary>Llama 3.1's stretching of rotary wavelengths to a longer context.</summary>
/// <param name="Factor">By how much wavelengths beyond the first context are stretched.</param>
/// <param name="LowFrequencyFactor">Stretched are wavelengths above <c>context / LowFrequencyFactor</c>.</param>
/// <param name="HighFrequencyFactor">Untouched are wavelengths below <c>context / HighFrequencyFactor</c>; between the two the change is gradual.</param>
/// <param name="OriginalContext">The context of the first training, in tokens.</param>
public sealed record Llama3Scaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, long OriginalContext)
{
    /// <summary>The frequency to use instead of the given one.</summary>
    /// <param name="frequency">Radians a token.</param>
    public float Scale(float frequency)
    {
        var turns = OriginalContext * frequency / (2 * MathF.PI);
        var kept = (float)Math.Clamp((turns - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
        return (1 - kept) * frequency / (float)Factor + kept * frequency;
    }

    internal static Llama3Scaling Read(ConfigReader rope, ConfigReader config)
    {
        var scaling = new Llama3Scaling(
            rope.Number("factor"),
            rope.Number("low_freq_factor"),
            rope.Number("high_freq_factor"),
            rope.Count("original_max_position_embeddings", config.Count("max_position_embeddings", 2048)));
        rope.Require(scaling.HighFrequencyFactor > scaling.LowFrequencyFactor, "high_freq_factor", "more than low_freq_factor");
        return scaling;
    }
}
