using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Several slots at one attention, each before what those before it attached.</summary>
internal sealed class ChainedAttention : AttentionSlot, ISlotGroup
{
    private readonly SlotChain<AttentionSlot> _chain;

    public ChainedAttention(string path, IEnumerable<AttentionSlot> slots, bool lent = false) : base(path) =>
        _chain = new SlotChain<AttentionSlot>(slots, lent ? Lend : register_module);

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        foreach (var slot in _chain.Slots)
            (k, v, mask) = slot.forward(context, x, q, k, v, mask);
        return (k, v, mask);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _chain.Stored(format);

    public IEnumerable<Slot> AllSlots() => _chain.AllSlots();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => _chain.Pairs(part);
}

/// <summary>Several slots on one output, one after the other.</summary>
internal sealed class ChainedOutput : OutputSlot, ISlotGroup
{
    private readonly SlotChain<OutputSlot> _chain;

    public ChainedOutput(string path, IEnumerable<OutputSlot> slots, bool lent = false) : base(path) =>
        _chain = new SlotChain<OutputSlot>(slots, lent ? Lend : register_module);

    public override Tensor forward(ForwardContext context, Tensor output)
    {
        var current = output;
        foreach (var slot in _chain.Slots)
        {
            var next = slot.forward(context, current);
            if (!ReferenceEquals(current, output))
                current.Dispose();
            current = next;
        }

        return current;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _chain.Stored(format);

    public IEnumerable<Slot> AllSlots() => _chain.AllSlots();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => _chain.Pairs(part);
}

/// <summary>Several slots at the root's door; the last that entered leaves first.</summary>
internal sealed class ChainedInput : InputSlot, ISlotGroup
{
    private readonly SlotChain<InputSlot> _chain;

    public ChainedInput(string path, IEnumerable<InputSlot> slots, bool lent = false) : base(path) =>
        _chain = new SlotChain<InputSlot>(slots, lent ? Lend : register_module);

    public override void enter(ForwardContext context)
    {
        foreach (var slot in _chain.Slots)
            slot.enter(context);
    }

    public override Tensor leave(ForwardContext context, Tensor output)
    {
        var current = output;
        foreach (var slot in _chain.Slots.Reverse())
        {
            var next = slot.leave(context, current);
            if (!ReferenceEquals(current, output) && !ReferenceEquals(current, next))
                current.Dispose();
            current = next;
        }

        return current;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _chain.Stored(format);

    public IEnumerable<Slot> AllSlots() => _chain.AllSlots();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => _chain.Pairs(part);
}

/// <summary>An output slot on a layer: it changes what the layer returns.</summary>
internal sealed class OutputLayer : LayerSlot, ISlotGroup
{
    private readonly OutputSlot _output;

    public OutputLayer(string path, OutputSlot output) : base(path) => register_module("output", _output = output);

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        return _output.forward(layer.Context, y);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _output.Stored(format);

    public IEnumerable<Slot> AllSlots() => [_output];

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => AdapterNode.PairsOf(_output, part);
}

/// <summary>The members of a slot that is made of others.</summary>
internal sealed class SlotChain<T> where T : Slot
{
    /// <param name="slots">The slots, in the order in which they act.</param>
    /// <param name="register">How they become the owner's.</param>
    public SlotChain(IEnumerable<T> slots, Action<string, nn.Module> register)
    {
        Slots = slots.ToList();
        foreach (var (index, slot) in Slots.Index())
            register(index.ToString(System.Globalization.CultureInfo.InvariantCulture), slot);
    }

    public IReadOnlyList<T> Slots { get; }

    public IEnumerable<StoredTensor> Stored(FileFormat format) => Slots.SelectMany(slot => slot.Stored(format));

    public IEnumerable<Slot> AllSlots() => Slots.SelectMany(slot => slot is ISlotGroup group ? group.AllSlots() : [slot]);

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => Slots.SelectMany(slot => AdapterNode.PairsOf(slot, part));
}
