using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>What a caller can say about one call beyond the model's own arguments.</summary>
public sealed class ForwardOptions
{
    /// <summary>Inputs that the model's signature lacks, by role.</summary>
    public IReadOnlyDictionary<InputRole, Tensor>? Inputs { get; init; }

    /// <summary>The number of each row's task, counted from 0, <c>[batch]</c> Int64; null: what <see cref="Inputs"/> or the model's own arguments say.</summary>
    public Tensor? TaskIds { get; init; }

    /// <summary>Where slots write what they found out, such as the values of gates; null: nowhere. The entries belong to the caller.</summary>
    public IDictionary<string, Tensor>? Records { get; init; }
}

/// <summary>
/// What the slots of one call share: the model's inputs, tensors computed once for all layers, a place to record.
/// One context belongs to one call, so calls on several threads do not meet.
/// </summary>
public sealed class ForwardContext : IDisposable
{
    private readonly Dictionary<InputRole, Tensor> _inputs = [];
    private readonly Dictionary<object, Tensor> _shared;
    private readonly Dictionary<object, object> _states;
    private readonly List<IDisposable> _kept = [];
    private readonly Dictionary<RowGroup, ForwardContext> _parts = [];
    private readonly ForwardContext? _whole;
    private readonly ForwardContext? _copied;
    private readonly bool _records = true;
    private CallFacts _facts = new() { Rows = "" };
    private readonly IDisposable? _call;

    /// <summary>Opens the context of a call; generated code does so.</summary>
    /// <param name="options">What the caller said; null: nothing.</param>
    /// <param name="model">The model whose method is called: where it does not train, no adapter drops anything out. Null: it trains.</param>
    public ForwardContext(ForwardOptions? options = null, nn.Module? model = null)
    {
        _facts.Training = model?.training ?? true;
        Options = options ?? new ForwardOptions();
        _shared = [];
        _states = [];
        foreach (var (role, input) in Options.Inputs ?? new Dictionary<InputRole, Tensor>())
            _inputs[role] = input;
        this[InputRole.TaskIds] = Options.TaskIds;
    }

    /// <param name="options">What the caller said; null: nothing.</param>
    /// <param name="model">The model whose method is called.</param>
    /// <param name="call">What ends with the context.</param>
    internal ForwardContext(ForwardOptions? options, nn.Module model, IDisposable call) : this(options, model) => _call = call;

    private ForwardContext(ForwardContext whole, RowGroup rows)
    {
        Options = whole.Options;
        _shared = whole._shared;
        _states = whole._states;
        _whole = whole;
        _records = whole._records;
        // A copy's part knows what an input slot said in the part that it stands for.
        _facts = whole._copied?._parts.GetValueOrDefault(rows)?._facts ?? whole._facts.Of(rows);
        foreach (var (role, input) in whole._inputs)
            _inputs[role] = rows.SelectInput(whole, role, input);
    }

    private ForwardContext(ForwardContext other, IReadOnlyDictionary<InputRole, Tensor> inputs, bool records)
    {
        Options = other.Options;
        _shared = [];
        _states = [];
        _copied = other;
        _records = records && other._records;
        _facts = other._facts;
        foreach (var (role, input) in inputs)
            _inputs[role] = input;
    }

    /// <summary>What the caller said.</summary>
    public ForwardOptions Options { get; }

    /// <summary>Whether the base already is what the adapter makes of it, so that the call runs the base.</summary>
    public bool RunsBase { get; internal init; }

    /// <summary>The inputs of the root's call by role.</summary>
    internal IReadOnlyDictionary<InputRole, Tensor> Inputs => _inputs;

    /// <summary>A context that shares no tensor with this one, for a block that is run by itself.</summary>
    /// <param name="inputs">The inputs of the root's call by role.</param>
    /// <param name="records">Whether what slots record is kept, too.</param>
    internal ForwardContext Copy(IReadOnlyDictionary<InputRole, Tensor> inputs, bool records) => new(this, inputs, records);

    /// <summary>Whether the model that is called trains. A slot drops out only where it does, and the slot, too: see <see cref="Slot.IsTraining"/>.</summary>
    public bool Training => _facts.Training;

    /// <summary>An input of the root's call; null if the call has none of that role.</summary>
    /// <param name="role">The role.</param>
    public Tensor? this[InputRole role]
    {
        get => _inputs.GetValueOrDefault(role);
        set
        {
            if (value is not null)
                _inputs[role] = value;
        }
    }

    /// <summary>How many tokens of each row the model holds in a cache from calls before; 0 without one. Generated code sets it from arguments that are an <see cref="ITokenCache"/>.</summary>
    public long PastTokens
    {
        get => _facts.PastTokens;
        set => _facts.PastTokens = value;
    }

    /// <summary>By how much the positions that the model computes are moved, see <see cref="Attention.Positions(Tensor)"/>; an input slot may set it.</summary>
    public long PositionShift
    {
        get => _facts.PositionShift;
        set => _facts.PositionShift = value;
    }

    /// <summary>Whether queries stay where they are without the keys in front of them, where positions are distances; see <see cref="Attention.Positions(Tensor, long)"/>. An input slot may set it.</summary>
    public bool QueriesStay
    {
        get => _facts.QueriesStay;
        set => _facts.QueriesStay = value;
    }

    /// <summary>By how much the positions of each row are moved, where that differs between rows; null: by <see cref="PositionShift"/>.</summary>
    internal IReadOnlyList<long>? PositionShifts
    {
        get => _facts.PositionShifts;
        set => _facts.PositionShifts = value;
    }

    /// <summary>What <see cref="Attention.Positions(Tensor)"/> is in compiled code.</summary>
    /// <param name="positions">The positions that the model computed, <c>[batch or 1, tokens]</c>.</param>
    /// <returns>The same tensor, or moved ones that belong to this context.</returns>
    public Tensor Positions(Tensor positions) =>
        PositionShifts is { } shifts ? Keep(positions + Column(shifts, positions.device)) : PositionShift == 0 ? positions : Keep(positions + PositionShift);

    /// <summary>Numbers of rows on a device, <c>[batch, 1]</c>, made once in a call.</summary>
    private Tensor Column(IReadOnlyList<long> numbers, Device device) => Share((numbers, device.ToString()), () =>
    {
        using var row = tensor(numbers.ToArray(), device: device);
        return row.unsqueeze(1);
    });

    /// <summary>What <see cref="Attention.Positions(Tensor, long)"/> is in compiled code.</summary>
    /// <param name="positions">The positions that the model computed for its queries.</param>
    /// <param name="added">The number of keys that were put in front.</param>
    /// <returns>The same tensor, or moved ones that belong to this context.</returns>
    /// <exception cref="AdapterException">The rows of the batch belong to several adapters.</exception>
    public Tensor Positions(Tensor positions, long added)
    {
        if (!QueriesStay || added == 0)
            return positions;
        if (PositionShifts is not null)
            throw new AdapterException("the adapters of these rows have prefixes beside which queries stay in place (PrefixPositions.Kept), and the model's positions are distances, of which a batch has one set. Run the rows of each adapter in a call of their own.");
        return Keep(positions - added);
    }

    /// <summary>Keeps a tensor until the root's call returns, out of the scopes that the user's code opens.</summary>
    /// <param name="tensor">The tensor; the context owns it from here on.</param>
    public Tensor Keep(Tensor tensor)
    {
        tensor.DetachFromDisposeScope();
        Root._kept.Add(tensor);
        return tensor;
    }

    /// <summary>A tensor that is computed once for all slots of the call.</summary>
    /// <param name="key">What identifies it, for example the slot that owns it.</param>
    /// <param name="compute">Computes it; the context owns the result.</param>
    public Tensor Share(object key, Func<Tensor> compute)
    {
        if (!_shared.TryGetValue(key, out var tensor))
            _shared[key] = tensor = Keep(compute());
        return tensor;
    }

    /// <summary>What the slots of one method tell each other about this call; made where none is there yet.</summary>
    /// <param name="key">What identifies it, for example a part that the slots share.</param>
    internal T State<T>(object key) where T : class, new()
    {
        if (!_states.TryGetValue((key, typeof(T)), out var state))
            _states[(key, typeof(T))] = state = new T();
        return (T)state;
    }

    /// <summary>Records a value if the caller asked for records.</summary>
    /// <param name="name">The name, beginning with the slot's path. Where some rows of a batch run by themselves, their indices are added: <c>[0,2]</c>.</param>
    /// <param name="value">The value; a detached copy is recorded.</param>
    public void Record(string name, Tensor value)
    {
        if (!_records || Options.Records is not { } records)
            return;
        using var detached = value.detach();
        records[name + _facts.Rows] = detached.clone().DetachFromDisposeScope();
    }

    /// <summary>The context as some rows of the batch see it. It lives as long as this one.</summary>
    internal ForwardContext ForRows(RowGroup rows)
    {
        if (!_parts.TryGetValue(rows, out var part))
            _parts[rows] = part = new ForwardContext(this, rows);
        return part;
    }

    private ForwardContext Root => _whole?.Root ?? this;

    /// <summary>Disposes what was kept.</summary>
    public void Dispose()
    {
        foreach (var tensor in _kept)
            tensor.Dispose();
        _kept.Clear();
        if (_whole is null)
            _shared.Clear();
        _call?.Dispose();
    }

    /// <summary>
    /// What is known of a call beside its tensors. A context that is made of another takes all of it at once, so that nothing can be forgotten;
    /// it holds no tensors, since a block may be run again when those of its call are disposed.
    /// </summary>
    private record struct CallFacts
    {
        public bool Training { get; set; }

        public long PastTokens { get; set; }

        public long PositionShift { get; set; }

        public IReadOnlyList<long>? PositionShifts { get; set; }

        public bool QueriesStay { get; set; }

        public string Rows { get; set; }

        /// <summary>The same as some rows of the batch see it.</summary>
        public readonly CallFacts Of(RowGroup rows) => this with { Rows = rows.ToString(), PositionShifts = PositionShifts is { } all ? [.. rows.Rows.Select(row => all[(int)row])] : null };
    }
}
