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
    private readonly string _rows = "";
    private readonly IDisposable? _call;

    /// <summary>Opens the context of a call; generated code does so.</summary>
    /// <param name="options">What the caller said; null: nothing.</param>
    public ForwardContext(ForwardOptions? options = null)
    {
        Options = options ?? new ForwardOptions();
        _shared = [];
        _states = [];
        foreach (var (role, input) in Options.Inputs ?? new Dictionary<InputRole, Tensor>())
            _inputs[role] = input;
        this[InputRole.TaskIds] = Options.TaskIds;
    }

    /// <param name="options">What the caller said; null: nothing.</param>
    /// <param name="call">What ends with the context.</param>
    internal ForwardContext(ForwardOptions? options, IDisposable call) : this(options) => _call = call;

    private ForwardContext(ForwardContext whole, RowGroup rows)
    {
        Options = whole.Options;
        _shared = whole._shared;
        _states = whole._states;
        _whole = whole;
        _rows = rows.ToString();
        PositionShift = whole.PositionShift;
        QueriesStay = whole.QueriesStay;
        PastTokens = whole.PastTokens;
        foreach (var (role, input) in whole._inputs)
            _inputs[role] = rows.SelectInput(whole, role, input);
    }

    private ForwardContext(ForwardContext other, ForwardOptions options, IReadOnlyDictionary<InputRole, Tensor> inputs)
    {
        Options = options;
        _shared = [];
        _states = [];
        _rows = other._rows;
        PositionShift = other.PositionShift;
        QueriesStay = other.QueriesStay;
        PastTokens = other.PastTokens;
        foreach (var (role, input) in inputs)
            _inputs[role] = input;
    }

    /// <summary>What the caller said.</summary>
    public ForwardOptions Options { get; }

    /// <summary>Whether the base already is what the adapter makes of it, so that the call runs the base.</summary>
    public bool RunsBase { get; internal init; }

    /// <summary>The inputs of the root's call by role.</summary>
    internal IReadOnlyDictionary<InputRole, Tensor> Inputs => _inputs;

    /// <summary>A context that shares nothing with this one, for a block that is run by itself.</summary>
    internal ForwardContext Copy(ForwardOptions options, IReadOnlyDictionary<InputRole, Tensor> inputs) => new(this, options, inputs);

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
    public long PastTokens { get; set; }

    /// <summary>By how much the positions that the model computes are moved, see <see cref="Attention.Positions(Tensor)"/>; an input slot may set it.</summary>
    public long PositionShift { get; set; }

    /// <summary>Whether queries stay where they are without the keys in front of them, where positions are distances; see <see cref="Attention.Positions(Tensor, long)"/>. An input slot may set it.</summary>
    public bool QueriesStay { get; set; }

    /// <summary>By how much the positions of each row are moved, <c>[batch, 1]</c>, where that differs between rows; null: by <see cref="PositionShift"/>.</summary>
    internal Tensor? PositionShifts { get; set; }

    /// <summary>What <see cref="Attention.Positions(Tensor)"/> is in compiled code.</summary>
    /// <param name="positions">The positions that the model computed, <c>[batch or 1, tokens]</c>.</param>
    /// <returns>The same tensor, or moved ones that belong to this context.</returns>
    public Tensor Positions(Tensor positions) =>
        PositionShifts is { } shifts ? Keep(positions + shifts) : PositionShift == 0 ? positions : Keep(positions + PositionShift);

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
        if (Options.Records is not { } records)
            return;
        using var detached = value.detach();
        records[name + _rows] = detached.clone().DetachFromDisposeScope();
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
}
