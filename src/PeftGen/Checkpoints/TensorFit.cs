using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>Compares the tensors that are wanted with those that are there, before any is read.</summary>
internal static class TensorFit
{
    /// <summary>Throws where names or shapes differ.</summary>
    /// <param name="source">Where the tensors come from, for the message.</param>
    /// <param name="advice">What to do.</param>
    /// <param name="wanted">The tensors that will be written to.</param>
    /// <param name="found">Types and shapes of those that are there. A number that is no fraction does not fit one that is.</param>
    /// <exception cref="AdapterException">Lists what is missing, what is surplus, and what has another shape.</exception>
    public static void Check(string source, string advice, IReadOnlyDictionary<string, Tensor> wanted, IReadOnlyDictionary<string, SafetensorsEntry> found)
    {
        var missing = wanted.Keys.Where(key => !found.ContainsKey(key)).Order(StringComparer.Ordinal).ToList();
        var surplus = found.Keys.Where(key => !wanted.ContainsKey(key)).Order(StringComparer.Ordinal).ToList();
        var unequal = wanted.Where(entry => found.ContainsKey(entry.Key)).Select(entry => Difference(entry.Key, entry.Value, found[entry.Key])).OfType<string>()
            .Order(StringComparer.Ordinal).ToList();
        if (missing.Count + surplus.Count + unequal.Count > 0)
            throw new AdapterException(
                $"{source} does not fit this adapter, nothing was loaded. Missing: {NameList.Of(missing)}. Surplus: {NameList.Of(surplus)}. " +
                $"Of another shape: {NameList.Of(unequal)}. {advice}");
    }

    private static string? Difference(string key, Tensor wanted, SafetensorsEntry found) =>
        !wanted.shape.SequenceEqual(found.Shape) ? $"{key}: [{string.Join(", ", found.Shape)}] there, [{string.Join(", ", wanted.shape)}] expected"
        : wanted.is_floating_point() != is_floating_point(found.DType) ? $"{key}: {found.DType} there, {wanted.dtype} expected"
        : null;
}
