using static TorchSharp.torch;

namespace PeftGen;

/// <summary>The values of gates that a call recorded in <see cref="ForwardOptions.Records"/>.</summary>
/// <remarks>A gate records <c>[batch]</c>, the gates of a fused layer's parts <c>[batch, gates]</c>, under <c>path:site</c>, for example <c>bert.encoder.layer.0.output:output_adapter</c>.</remarks>
public static class GateRecords
{
    internal static string NameOf(string path, string site) => $"{path}:{site}";

    /// <summary>The values as AdapterHub gives them: for each layer and site of gates, one column for each gate in the order of execution.</summary>
    /// <param name="records">What a call recorded.</param>
    /// <returns>By <c>layer.site</c>, for example <c>0.selfattn_lora</c>: <c>[batch, gates]</c>; the caller owns the tensors.</returns>
    public static IReadOnlyDictionary<string, Tensor> ByLayer(IEnumerable<KeyValuePair<string, Tensor>> records)
    {
        var byKey = new Dictionary<string, List<Tensor>>();
        foreach (var (name, value) in records)
        {
            var colon = name.LastIndexOf(':');
            if (colon < 0 || name[..colon].Split('.').LastOrDefault(segment => int.TryParse(segment, out _)) is not { } layer)
                continue;
            var key = $"{layer}.{name[(colon + 1)..]}";
            if (!byKey.TryGetValue(key, out var columns))
                byKey[key] = columns = [];
            columns.Add(value);
        }

        return byKey.ToDictionary(entry => entry.Key, entry => Columns(entry.Value));
    }

    private static Tensor Columns(List<Tensor> values)
    {
        var columns = values.Select(value => value.view(value.shape[0], -1)).ToList();
        var all = cat(columns, 1);
        columns.ForEach(column => column.Dispose());
        return all;
    }
}
