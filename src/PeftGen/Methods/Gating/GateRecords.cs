using static TorchSharp.torch;

namespace PeftGen;

/// <summary>The values of gates that a call recorded in <see cref="ForwardOptions.Records"/>.</summary>
/// <remarks>A gate records <c>[batch]</c>, the gates of a fused layer's parts <c>[batch, gates]</c>, under <c>path:site</c>, for example <c>bert.encoder.layer.0.output:output_adapter</c>.</remarks>
public static class GateRecords
{
    internal static string NameOf(string path, string site) => $"{path}:{site}";

    /// <summary>The values as AdapterHub gives them: for each layer and site of gates, one column for each gate in the order of execution.</summary>
    /// <param name="records">What a call recorded.</param>
    /// <returns>
    /// By <c>layer.site</c>, for example <c>0.selfattn_lora</c>: <c>[batch, gates]</c>; the caller owns the tensors. A decoder's layers count on from its encoder's, of which
    /// the last one needs a gate for that.
    /// </returns>
    public static IReadOnlyDictionary<string, Tensor> ByLayer(IEnumerable<KeyValuePair<string, Tensor>> records)
    {
        var all = records.ToList();
        var encoder = all.Select(record => BlockOf(record.Key)).Where(block => block is { half: "encoder" }).Select(block => block!.Value.index + 1).DefaultIfEmpty(0).Max();
        var byKey = new Dictionary<string, List<Tensor>>();
        foreach (var (name, value) in all)
        {
            var colon = name.LastIndexOf(':');
            if (colon < 0 || BlockOf(name) is not var (half, index))
                continue;
            var key = $"{(half == "decoder" ? index + encoder : index)}.{name[(colon + 1)..]}";
            if (!byKey.TryGetValue(key, out var columns))
                byKey[key] = columns = [];
            columns.Add(value);
        }

        return byKey.ToDictionary(entry => entry.Key, entry => Columns(entry.Value));
    }

    /// <summary>The first number of a path, and what holds the list that it is an index of; null: there is none.</summary>
    private static (string half, int index)? BlockOf(string path)
    {
        var segments = path.Split('.', ':');
        var at = Array.FindIndex(segments, segment => int.TryParse(segment, out _));
        return at < 0 ? null : (at < 2 ? "" : segments[at - 2], int.Parse(segments[at], System.Globalization.CultureInfo.InvariantCulture));
    }

    private static Tensor Columns(List<Tensor> values)
    {
        var columns = values.Select(value => value.view(value.shape[0], -1)).ToList();
        var all = cat(columns, 1);
        columns.ForEach(column => column.Dispose());
        return all;
    }
}
