using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A layer of a mixed batch: each adapter's rows run through its slot, the others through the base. Where all slots act on the layer's output, the layer runs once, with all rows.</summary>
internal sealed class RowsLayer : LayerSlot, ISlotGroup
{
    private readonly IReadOnlyList<LayerSlot?> _slots;
    private readonly IReadOnlyList<LayerSlot?> _slotOfAdapter;
    private readonly RowSplit _split;
    private readonly bool _sharesCall;

    /// <param name="path">The layer's path.</param>
    /// <param name="plan">Which rows belong to which adapter.</param>
    /// <param name="slotOfAdapter">For each adapter of the plan its slot; null: the base.</param>
    public RowsLayer(string path, RowPlan plan, IReadOnlyList<LayerSlot?> slotOfAdapter) : base(path)
    {
        Plan = plan;
        _slotOfAdapter = slotOfAdapter;
        // All rows that run through the same slot, and all that run through the base alone, run together.
        _slots = slotOfAdapter.Distinct().ToList();
        _split = plan.Split(slotOfAdapter.Select(slot => IndexOf(_slots, slot)).ToArray());
        _sharesCall = _slots.All(slot => slot?.ActsOnOutput != false);
        Take([.. Parts], lent: true);
    }

    public RowPlan Plan { get; }

    /// <summary>The slot of one adapter of the plan.</summary>
    public LayerSlot? this[int adapter] => _slotOfAdapter[adapter];

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        _split.Check(Path, x);
        var results = new List<Tensor>(_slots.Count);
        try
        {
            using var outputs = _sharesCall ? layer.forward(x) : null;
            foreach (var (rows, slot) in _split.Groups.Zip(_slots))
            {
                using var part = rows.Select(layer.Context, x);
                var call = layer.With(layer.Context.ForRows(rows));
                if (outputs is not null)
                    call = call.With(rows.Select(layer.Context, outputs));
                results.Add(slot is null ? call.forward(part) : call.Through([slot], part));
            }

            return _split.Join(Path, layer.Context, results);
        }
        finally
        {
            results.ForEach(result => result.Dispose());
        }
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => RowsSlots.Stored(Path);

    public IEnumerable<Slot> Parts => _slots.OfType<Slot>();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => [(this, part)];

    private static int IndexOf(IReadOnlyList<LayerSlot?> slots, LayerSlot? slot) => slots.Index().First(s => ReferenceEquals(s.Item, slot)).Index;
}

/// <summary>What the slots of mixed batches have in common.</summary>
internal static class RowsSlots
{
    public static IEnumerable<StoredTensor> Stored(string path) =>
        throw new AdapterException($"{path}: a mix of rows has no file of its own. Save its adapters one by one.");
}
