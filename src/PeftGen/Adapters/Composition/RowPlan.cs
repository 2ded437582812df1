using System.Globalization;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Which rows of a batch belong to which adapter.</summary>
/// <param name="batch">The number of rows.</param>
/// <param name="rowsOfAdapter">For each distinct adapter its rows.</param>
internal sealed class RowPlan(int batch, IReadOnlyList<long[]> rowsOfAdapter)
{
    private readonly Dictionary<string, RowSplit> _splits = [];

    /// <summary>The batch with the rows of each adapter by themselves.</summary>
    public RowSplit ByAdapter => Split(Enumerable.Range(0, rowsOfAdapter.Count).ToArray());

    /// <summary>The batch with the rows of several adapters together.</summary>
    /// <param name="groups">For each adapter the group that its rows are in, counted from 0. Equal groups give one and the same split.</param>
    public RowSplit Split(int[] groups)
    {
        var key = string.Join(',', groups);
        if (!_splits.TryGetValue(key, out var split))
            _splits[key] = split = new RowSplit(batch, Enumerable.Range(0, groups.Max() + 1)
                .Select(group => new RowGroup(batch, rowsOfAdapter.Where((_, adapter) => groups[adapter] == group).SelectMany(rows => rows).Order().ToArray()))
                .ToList());
        return split;
    }
}

/// <summary>A batch in groups of rows.</summary>
internal sealed class RowSplit
{
    private readonly long[] _order;

    public RowSplit(int batch, IReadOnlyList<RowGroup> groups)
    {
        Batch = batch;
        Groups = groups;
        var joined = groups.SelectMany(group => group.Rows).ToList();
        _order = Enumerable.Range(0, batch).Select(row => (long)joined.IndexOf(row)).ToArray();
    }

    public int Batch { get; }

    public IReadOnlyList<RowGroup> Groups { get; }

    /// <summary>Throws where a tensor's first dimension is not the batch.</summary>
    public void Check(string path, Tensor x)
    {
        if (x.dim() == 0 || x.shape[0] != Batch)
            throw new AdapterException(
                $"{path}: Rows.Of was given {Batch} {(Batch == 1 ? "entry" : "entries")}, but the input here is [{string.Join(", ", x.shape)}]. " +
                "Give one entry for each row of the batch, which has to be the first dimension here.");
    }

    /// <summary>Puts the groups' results, each <c>[rows, …]</c>, back into the order of the batch.</summary>
    /// <returns>A new tensor, <c>[batch, …]</c>.</returns>
    /// <exception cref="AdapterException">They differ in more than the number of rows.</exception>
    public Tensor Join(string path, ForwardContext context, IReadOnlyList<Tensor> results)
    {
        if (results.FirstOrDefault(result => !result.shape.AsSpan(1).SequenceEqual(results[0].shape.AsSpan(1))) is { } other)
            throw new AdapterException(
                $"{(path.Length == 0 ? "the model's output" : path)}: the adapters of these rows give [{string.Join(", ", results[0].shape)}] and [{string.Join(", ", other.shape)}], and a batch has one shape. " +
                "Run the rows of each adapter in a call of their own.");
        var joined = cat(results.ToList(), 0);
        if (_order.Index().All(row => row.Item == row.Index))
            return joined;
        using (joined)
            return joined.index_select(0, RowGroup.Indices(context, this, _order, joined.device));
    }
}

/// <summary>Some rows of a batch.</summary>
internal sealed class RowGroup(int batch, long[] rows)
{
    private readonly bool _isRange = rows[^1] - rows[0] == rows.Length - 1;

    public IReadOnlyList<long> Rows => rows;

    /// <summary>The rows of a tensor.</summary>
    /// <param name="whole">The context of the batch.</param>
    /// <param name="x">The tensor, <c>[batch, …]</c>.</param>
    /// <returns>A new tensor, <c>[rows, …]</c>; of rows that lie together a view.</returns>
    public Tensor Select(ForwardContext whole, Tensor x) => _isRange ? x.narrow(0, rows[0], rows.Length) : x.index_select(0, Indices(whole, this, rows, x.device));

    /// <summary>The rows of a tensor that may be broadcast over the batch; the context keeps the result.</summary>
    public Tensor SelectBroadcast(ForwardContext whole, Tensor x, int dimensions) =>
        x.dim() < dimensions || x.shape[0] == 1 ? x : whole.Keep(Select(whole, x));

    /// <summary>The rows of an input of the model.</summary>
    public Tensor SelectInput(ForwardContext whole, InputRole role, Tensor input) =>
        input.dim() > 0 && input.shape[0] == batch ? whole.Keep(Select(whole, input))
        : input.dim() == 0 || input.shape[0] == 1 ? input
        : throw new AdapterException(
            $"Rows.Of was given {batch} entries, but the input {role} is [{string.Join(", ", input.shape)}]. Give one entry for each row of the batch.");

    /// <summary>Indices on a device, made once in a call.</summary>
    public static Tensor Indices(ForwardContext context, object owner, long[] indices, Device device) =>
        context.Share((owner, device.ToString()), () => tensor(indices, device: device));

    /// <summary>The rows as records name them, for example <c>[0,2]</c>.</summary>
    public override string ToString() => $"[{string.Join(',', rows.Select(row => row.ToString(CultureInfo.InvariantCulture)))}]";
}
