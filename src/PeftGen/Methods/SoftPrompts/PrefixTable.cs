using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The prefixes of all layers in one parameter, <c>[length · layers · 2 · heads · head_dim]</c>: by position, then layer, then key and value.</summary>
internal sealed class PrefixTable : Slot
{
    private const string Values = "control_trans";
    private readonly int _length;
    private string _base = "";
    private int _layers;
    private long _width;

    /// <param name="site">The first attention that asks for it.</param>
    /// <param name="length">The number of positions.</param>
    public PrefixTable(Site site, int length) : base("prefix")
    {
        _length = length;
        _base = BaseOf(site.Path);
        site.WhenComplete(() => Learn(Values, Start.Normal(site, 1, _length * _layers * 2 * _width)));
    }

    /// <summary>Takes in one more attention.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="length">The number of positions that it wants.</param>
    /// <param name="width">The size of its keys, <c>kv_heads · head_dim</c>.</param>
    /// <returns>Its place among the layers.</returns>
    /// <exception cref="AdapterException">It does not fit the layers before.</exception>
    public int Add(string path, int length, long width)
    {
        if (_layers > 0 && (width != _width || length != _length))
            throw new AdapterException(
                $"{path}: found keys {width} wide and a prefix of {length}, expected {_width} and {_length} as in the layers before, since one table holds all prefixes. " +
                "Put layers that differ into groups of their own.");
        _width = width;
        return _layers++;
    }

    /// <summary>The prefix of keys or values of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="value">0 for keys, 1 for values.</param>
    /// <param name="heads">The number of heads of keys and values.</param>
    /// <returns><c>[1, heads, length, head_dim]</c>; the caller owns it.</returns>
    public Tensor Of(int layer, int value, long heads)
    {
        using var table = this[Values].view(_length, 2 * _layers, heads, _width / heads);
        using var part = table.select(1, (2 * layer) + value);
        using var byHead = part.transpose(0, 1);
        return byHead.unsqueeze(0);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) =>
        [new(format == FileFormat.AdapterHub ? $"{_base}prefix_tuning.prefix_tunings.{{name}}.self_prefix.{Values}" : $"{HuggingFaceKeys.Prefix}{_base}prefix.{Values}", this[Values])];

    /// <summary>
    /// Where the table lies in files: in the base model, which heads hold in a field. It is what holds the list of blocks, or the encoder or decoder
    /// that does: <c>bert.</c> for <c>bert.encoder.layer.0.attention.self</c>, <c>model.</c> for <c>model.layers.0.self_attn</c>.
    /// </summary>
    private static string BaseOf(string path)
    {
        var segments = path.Split('.').TakeWhile(segment => !int.TryParse(segment, out _)).SkipLast(1).ToList();
        if (segments is [.., "encoder" or "decoder"])
            segments.RemoveAt(segments.Count - 1);
        return string.Concat(segments.Select(segment => segment + "."));
    }
}
