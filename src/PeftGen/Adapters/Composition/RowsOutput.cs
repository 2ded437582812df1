using static TorchSharp.torch;

namespace PeftGen;

/// <summary>An output of a mixed batch.</summary>
internal sealed class RowsOutput : OutputSlot, ISlotGroup
{
    private readonly RowPlan _plan;
    private readonly IReadOnlyList<OutputSlot?> _slots;

    /// <param name="path">The module's path.</param>
    /// <param name="plan">Which rows belong to which adapter.</param>
    /// <param name="slots">For each adapter of the plan its slot; null: the base.</param>
    public RowsOutput(string path, RowPlan plan, IReadOnlyList<OutputSlot?> slots) : base(path)
    {
        _plan = plan;
        _slots = slots;
        Take([.. Parts], lent: true);
    }

    public override Tensor forward(ForwardContext context, Tensor output)
    {
        var split = _plan.ByAdapter;
        split.Check(Path, output);
        var results = new List<Tensor>(_slots.Count);
        try
        {
            foreach (var (adapter, rows) in split.Groups.Index())
            {
                var part = rows.Select(context, output);
                if (_slots[adapter] is not { } slot)
                {
                    results.Add(part);
                    continue;
                }

                using (part)
                    results.Add(slot.forward(context.ForRows(rows), part));
            }

            return split.Join(Path, context, results);
        }
        finally
        {
            results.ForEach(result => result.Dispose());
        }
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => RowsSlots.Stored(Path);

    public IEnumerable<Slot> Parts => _slots.OfType<Slot>().Distinct();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => [(this, part)];
}
