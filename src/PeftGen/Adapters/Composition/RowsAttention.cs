using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// An attention site of a mixed batch. Adapters put different numbers of keys in front; the shorter rows are filled up with keys
/// that the mask hides, so that each row attends to what it would attend to alone.
/// </summary>
internal sealed class RowsAttention : AttentionSlot, ISlotGroup
{
    private const int Dimensions = 4;
    private readonly RowPlan _plan;
    private readonly IReadOnlyList<AttentionSlot?> _slots;

    /// <param name="path">The attention's path.</param>
    /// <param name="plan">Which rows belong to which adapter.</param>
    /// <param name="slots">For each adapter of the plan its slot; null: the base.</param>
    public RowsAttention(string path, RowPlan plan, IReadOnlyList<AttentionSlot?> slots) : base(path)
    {
        _plan = plan;
        _slots = slots;
        Take([.. Parts], lent: true);
    }

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        var split = _plan.ByAdapter;
        split.Check(Path, k);
        var parts = split.Groups.Zip(_slots, (rows, slot) => AttachPart(context, rows, slot, x, q, k, v, mask)).ToList();
        var keys = parts.Max(part => part.k.shape[2]);
        var needsMask = parts.Any(part => part.mask is not null || part.k.shape[2] != keys);
        using var scope = NewDisposeScope();
        var joinedK = split.Join(Path, context, parts.Select(part => Fill(part.k, keys, 2, 0)).ToList());
        var joinedV = split.Join(Path, context, parts.Select(part => Fill(part.v, keys, 2, 0)).ToList());
        var joinedMask = needsMask ? split.Join(Path, context, MasksOf(split, parts, q, keys)) : null;
        return (context.Keep(joinedK), context.Keep(joinedV), joinedMask is null ? null : context.Keep(joinedMask));
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => RowsSlots.Stored(Path);

    public IEnumerable<Slot> Parts => _slots.OfType<Slot>().Distinct();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => [(this, part)];

    private static (Tensor k, Tensor v, Tensor? mask) AttachPart(
        ForwardContext context, RowGroup rows, AttentionSlot? slot, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        var partOfK = context.Keep(rows.Select(context, k));
        var partOfV = context.Keep(rows.Select(context, v));
        var partOfMask = mask is null ? null : rows.SelectBroadcast(context, mask, Dimensions);
        return slot is null
            ? (partOfK, partOfV, partOfMask)
            : slot.forward(context.ForRows(rows), context.Keep(rows.Select(context, x)), context.Keep(rows.Select(context, q)), partOfK, partOfV, partOfMask);
    }

    /// <summary>Every part's mask in one common shape, <c>[rows, heads or 1, tokens or 1, keys]</c>.</summary>
    private static List<Tensor> MasksOf(RowSplit split, IReadOnlyList<(Tensor k, Tensor v, Tensor? mask)> parts, Tensor q, long keys)
    {
        var given = parts.Select(part => part.mask).OfType<Tensor>().Select(WithFourDimensions).ToList();
        var dtype = given.Count > 0 ? given[0].dtype : q.dtype;
        var heads = given.Select(m => m.shape[1]).DefaultIfEmpty(1).Max();
        var tokens = given.Select(m => m.shape[2]).DefaultIfEmpty(1).Max();
        return parts.Zip(split.Groups, (part, rows) =>
        {
            var own = part.k.shape[2];
            var mask = part.mask is null ? zeros([1, 1, 1, own], dtype, q.device) : WithFourDimensions(part.mask);
            return Fill(mask.expand(rows.Rows.Count, heads, tokens, own), keys, 3, double.NegativeInfinity);
        }).ToList();
    }

    private static Tensor WithFourDimensions(Tensor mask)
    {
        var missing = Enumerable.Repeat(1L, Dimensions - (int)mask.dim());
        return mask.view([.. missing, .. mask.shape]);
    }

    /// <summary>Puts entries in front of a dimension until it has a size.</summary>
    private static Tensor Fill(Tensor x, long size, int dimension, double value)
    {
        if (x.shape[dimension] == size)
            return x.alias();
        var shape = x.shape;
        shape[dimension] = size - shape[dimension];
        return cat([full(shape, value, dtype: x.dtype, device: x.device), x], dimension);
    }
}
