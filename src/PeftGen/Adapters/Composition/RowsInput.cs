using static TorchSharp.torch;

namespace PeftGen;

/// <summary>The inputs of a mixed batch: each adapter may move the positions of its own rows. The inputs themselves are one set for the whole batch.</summary>
internal sealed class RowsInput : InputSlot, ISlotGroup
{
    private readonly RowPlan _plan;
    private readonly IReadOnlyList<InputSlot?> _slots;

    /// <param name="path">The root's path.</param>
    /// <param name="plan">Which rows belong to which adapter.</param>
    /// <param name="slots">For each adapter of the plan its slot; null: the base.</param>
    public RowsInput(string path, RowPlan plan, IReadOnlyList<InputSlot?> slots) : base(path)
    {
        _plan = plan;
        _slots = slots;
        Take([.. Parts], lent: true);
    }

    public override void enter(ForwardContext context)
    {
        var shifts = new long[_plan.ByAdapter.Batch];
        foreach (var (rows, slot) in _plan.ByAdapter.Groups.Zip(_slots))
        {
            var part = context.ForRows(rows);
            var before = part.Inputs.ToDictionary();
            slot?.enter(part);
            if (part.Inputs.Count != before.Count || part.Inputs.Any(input => !ReferenceEquals(input.Value, before.GetValueOrDefault(input.Key))))
                throw new AdapterException(
                    "the adapters of these rows change the model's inputs in different ways, and a batch has one length and one set of inputs. Run the rows of each adapter in a call of their own.");
            context.QueriesStay |= part.QueriesStay;
            foreach (var row in rows.Rows)
                shifts[row] = part.PositionShift;
        }

        context.PositionShifts = shifts;
    }

    public override Tensor leave(ForwardContext context, Tensor output)
    {
        var split = _plan.ByAdapter;
        split.Check(Path, output);
        using var scope = NewDisposeScope();
        var left = split.Groups.Zip(_slots).Select(pair =>
        {
            var part = pair.First.Select(context, output);
            var result = pair.Second?.leave(context.ForRows(pair.First), part) ?? part;
            return (result, isNew: !ReferenceEquals(result, part));
        }).ToList();
        return left.Any(part => part.isNew) ? split.Join(Path, context, left.Select(part => part.result).ToList()).MoveToOuterDisposeScope() : output;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => RowsSlots.Stored(Path);

    public IEnumerable<Slot> Parts => _slots.OfType<Slot>().Distinct();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => [(this, part)];
}
