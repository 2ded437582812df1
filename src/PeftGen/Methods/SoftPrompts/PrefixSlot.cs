using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The prefix at one attention; the formula is <see cref="PrefixTuning"/>'s.</summary>
internal sealed class PrefixSlot : AttentionSlot
{
    private readonly PrefixTable _table;
    private readonly int _layer;
    private readonly int _length;
    private readonly Gate? _gate;

    public PrefixSlot(Site site, PrefixTuning values) : base(site.Path)
    {
        if (values.Length < 1)
            throw new AdapterException($"{site.Path}: the prefix's length is {values.Length}, expected at least 1.");
        var keys = site.FindLinear("k") ?? throw new AdapterException(
            $"{site.Path}: the size of the keys is not to be seen: no linear layer of this module bears a name that keys have, such as k_proj or key.");
        _length = values.Length;
        _table = site.Share("prefix", () => new PrefixTable(site, values.Length));
        _layer = _table.Add(site.Path, values.Length, keys.outputs);
        if (values.Gated)
            register_module("gate", _gate = new Gate(site, keys.inputs, GateSites.Prefix, values.Pooling));
    }

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        using var g = _gate?.forward(context, x);
        using var gate = g?.view(-1, 1, 1, 1);
        return (context.Keep(Before(k, 0, gate)), context.Keep(Before(v, 1, gate)), mask is null ? null : context.Keep(Widened(mask, k.shape[2])));
    }

    private Tensor Before(Tensor own, int value, Tensor? gate)
    {
        using var prefix = _table.Of(_layer, value, own.shape[1]);
        using var gated = gate is null ? null : prefix * gate;
        using var rows = (gated ?? prefix).expand(own.shape[0], -1, -1, -1);
        using var typed = rows.to(own.dtype);
        return cat([typed, own], 2);
    }

    /// <summary>The additive mask with zeros before it: every query sees the prefix.</summary>
    private Tensor Widened(Tensor mask, long keys)
    {
        // A mask may say one thing for all keys; the prefix is to be seen even where that is no.
        using var whole = mask.expand([.. mask.shape[..^1], keys]);
        using var visible = zeros([.. mask.shape[..^1], _length], dtype: mask.dtype, device: mask.device);
        return cat([visible, whole], -1);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) =>
        _gate?.StoredAs(format == FileFormat.AdapterHub ? $"{Path}.prefix_tuning.prefix_gates.{{name}}" : $"{HuggingFaceKeys.Prefix}{Path}.prefix_gate") ?? [];
}
