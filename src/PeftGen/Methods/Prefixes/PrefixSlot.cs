using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The prefix at one attention; the formula is <see cref="PrefixTuning"/>'s.</summary>
internal sealed class PrefixSlot : AttentionSlot
{
    private readonly PrefixTable _table;
    private readonly int _layer;
    private readonly int _length;
    private readonly double _dropout;
    private readonly DropoutSource _masks;
    private readonly Gate? _gate;

    public PrefixSlot(Site site, PrefixTuning values) : base(site.Path)
    {
        if (values.Length < 1)
            throw new AdapterException($"{site.Path}: the prefix's length is {values.Length}, expected at least 1.");
        _dropout = values.Dropout is >= 0 and < 1 ? values.Dropout : throw new AdapterException(
            $"{site.Path}: Dropout is {values.Dropout.ToString(CultureInfo.InvariantCulture)}, expected a probability of at least 0 and less than 1.");
        _length = values.Length;
        _masks = site.Dropout;
        var place = AttentionPlace.Of(site);
        if (values.Slices == PrefixSlices.AsHuggingFaceT5 && (place.Kind != AttentionKind.Self || !place.InEncoderDecoder))
            throw new AdapterException($"{site.Path}: PrefixSlices.AsHuggingFaceT5 is for the decoder's self attention of an encoder-decoder. Leave this attention out of the targets, or leave the slices as they are.");
        _table = site.Share($"{place.Base.Replace('.', '_')}{place.PrefixName}", () => new PrefixTable(place, values));
        _layer = _table.Add(site, values);
        if (values.Gated)
            register_module("gate", _gate = new Gate(site, site.FindLinear("q")?.inputs ?? KeySizes.Of(site, values.KeyWidth, values).inputs, place.PrefixName, values.Pooling, values.SharedGate ? 1 : 2));
    }

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        using var g = _gate?.forward(context, x);
        return (context.Keep(Before(context, k, 0, g)), context.Keep(Before(context, v, 1, g)), mask is null ? null : context.Keep(Widened(mask, k.shape[2])));
    }

    private Tensor Before(ForwardContext context, Tensor own, int value, Tensor? g)
    {
        using var prefix = _table.Of(context, _layer, value, own);
        using var rows = prefix.expand(own.shape[0], -1, -1, -1);
        using var dropped = IsTraining(context) && _dropout > 0 ? _masks.Drop(rows, _dropout) : null;
        using var one = g is null ? null : g.dim() == 1 ? g.alias() : g.select(1, value);
        using var gate = one?.view(-1, 1, 1, 1);
        using var gated = gate is null ? null : (dropped ?? rows) * gate;
        using var typed = (gated ?? dropped ?? rows).to(own.dtype);
        return cat([typed, own], 2);
    }

    /// <summary>The additive mask with zeros before it: every query sees the prefix.</summary>
    private Tensor Widened(Tensor mask, long keys)
    {
        // A mask may say one thing for all keys; the prefix is to be seen even where that is no.
        using var whole = mask.expand([.. mask.shape[..^1], keys]);
        using var visible = mask.dtype == ScalarType.Bool
            ? ones([.. mask.shape[..^1], _length], dtype: mask.dtype, device: mask.device)
            : zeros([.. mask.shape[..^1], _length], dtype: mask.dtype, device: mask.device);
        return cat([visible, whole], -1);
    }

    /// <summary>ViT's attention had another path when the reference was written.</summary>
    private string AdapterHubPath => Path.StartsWith("vit.layers.", StringComparison.Ordinal) ? $"vit.encoder.layer.{Path["vit.layers.".Length..]}.attention" : Path;

    public override IEnumerable<StoredTensor> Stored(FileFormat format) =>
        _gate?.StoredAs(format == FileFormat.AdapterHub ? $"{AdapterHubPath}.prefix_tuning.prefix_gates.{{name}}" : $"{HuggingFaceKeys.Prefix}{Path}.prefix_gate") ?? [];
}
