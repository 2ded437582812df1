using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A residual site of a mixed batch.</summary>
internal sealed class RowsResidual : ResidualSlot, ISlotGroup
{
    private readonly RowPlan _plan;
    private readonly IReadOnlyList<ResidualSlot?> _slots;

    /// <param name="path">The site's path.</param>
    /// <param name="plan">Which rows belong to which adapter.</param>
    /// <param name="slots">For each adapter of the plan its slot; null: the base.</param>
    public RowsResidual(string path, RowPlan plan, IReadOnlyList<ResidualSlot?> slots) : base(path)
    {
        _plan = plan;
        _slots = slots;
        Take([.. Parts], lent: true);
    }

    public override Tensor forward(ResidualCall call, Tensor h, Tensor r)
    {
        // By adapter, not by slot: adapters without a slot here may still differ in the norm's.
        var split = _plan.ByAdapter;
        split.Check(Path, h);
        var results = new List<Tensor>(_slots.Count);
        try
        {
            foreach (var (adapter, rows) in split.Groups.Index())
            {
                using var partOfH = rows.Select(call.Context, h);
                using var partOfR = rows.Select(call.Context, r);
                results.Add(call.forward(_slots[adapter], call.Context.ForRows(rows), norm => SlotOf(norm, adapter), partOfH, partOfR));
            }

            return split.Join(Path, call.Context, results);
        }
        finally
        {
            results.ForEach(result => result.Dispose());
        }
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => RowsSlots.Stored(Path);

    public IEnumerable<Slot> Parts => _slots.OfType<Slot>().Distinct();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => [(this, part)];

    private LayerSlot? SlotOf(LayerSlot? norm, int adapter) => norm is RowsLayer rows && ReferenceEquals(rows.Plan, _plan) ? rows[adapter] : norm;
}
