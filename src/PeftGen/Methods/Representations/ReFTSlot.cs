using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>ReFT on one block's output; the formula is <see cref="ReFTUnit"/>'s.</summary>
internal sealed class ReFTSlot : OutputSlot
{
    private readonly RowEnds _ends;
    private readonly SortedDictionary<int, ReFTUnit> _units = [];
    private readonly bool _tied;
    private readonly long _dim;

    public ReFTSlot(Site site, ReFT values) : base(site.Path)
    {
        _dim = StateWidth.Of(site, values.Width, values);
        if (values.Rank < 1 || values.Rank > _dim)
            throw new AdapterException($"{Path}: rank is {values.Rank}, expected 1 to the width of the states, {_dim}.");
        if (values.PrefixPositions < 0 || values.SuffixPositions < 0 || values.PrefixPositions + values.SuffixPositions == 0)
            throw new AdapterException($"{Path}: {values.PrefixPositions} first and {values.SuffixPositions} last tokens change, expected at least one of either.");
        _ends = new RowEnds(site, values.PrefixPositions, values.SuffixPositions);
        _tied = values.Tied;
        if (_tied || values.PrefixPositions > 0 || values.HasIdleUnits)
            Put(0, new ReFTUnit(site, _dim, values));
        if (!_tied && (values.SuffixPositions > 0 || values.HasIdleUnits))
            Put(1, new ReFTUnit(site, _dim, values));

        void Put(int index, ReFTUnit unit)
        {
            _units[index] = unit;
            register_module($"unit_{index}", unit);
        }
    }

    public override Tensor forward(ForwardContext context, Tensor output)
    {
        if (output.dim() != 3 || output.shape[2] != _dim)
            throw new AdapterException($"{Path}: the output is [{string.Join(", ", output.shape)}], expected [batch, tokens, {_dim}]. Name modules that return the states of all tokens.");
        var (places, counts) = _ends.Find(context, output);
        using var wide = places.unsqueeze(-1);
        using var index = wide.expand(-1, -1, _dim);
        using var states = output.gather(1, index);
        using var typed = states.to(_units.First().Value.Type);
        using var change = Change(context, typed, _ends.FirstOf(output));
        // A row may be shorter than what changes at its ends.
        using var weights = counts.to(change.dtype);
        using var weighted = change.mul_(weights.unsqueeze_(-1));
        using var own = weighted.to(output.dtype);
        return output.scatter_add(1, index, own);
    }

    private Tensor Change(ForwardContext context, Tensor states, long first)
    {
        var rest = states.shape[1] - first;
        if (_tied || rest == 0)
            return _units[0].forward(context, states);
        if (first == 0)
            return _units[1].forward(context, states);
        using var prefix = states.narrow(1, 0, first);
        using var suffix = states.narrow(1, first, rest);
        using var begin = _units[0].forward(context, prefix);
        using var end = _units[1].forward(context, suffix);
        return cat([begin, end], 1);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => UnitsOf(format).SelectMany(unit => unit.Value.StoredAs($"{Key(format)}.units.{unit.Key}", format));

    public override IEnumerable<StoredTensor> Derived(FileFormat format) => _units.SelectMany(u => u.Value.DerivedAs($"{Key(format)}.units.{u.Key}"));

    /// <summary>AdapterHub's files have weights for both ends of a row; those of an end at which nothing changes are never read.</summary>
    private IEnumerable<KeyValuePair<int, ReFTUnit>> UnitsOf(FileFormat format) =>
        format != FileFormat.AdapterHub || _tied ? _units : Enumerable.Range(0, 2).Select(end => KeyValuePair.Create(end, _units.GetValueOrDefault(end) ?? _units.First().Value));

    private string Key(FileFormat format) =>
        format == FileFormat.AdapterHub ? $"{AdapterHubKeys.OfBlock(Path)}.reft_layer.refts.{{name}}" : $"{HuggingFaceKeys.Prefix}{Path}.reft_layer";
}
