using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Several slots at one attention, each before what those before it attached.</summary>
internal sealed class ChainedAttention : AttentionSlot, ISlotGroup
{
    private readonly IReadOnlyList<AttentionSlot> _slots;

    public ChainedAttention(string path, IEnumerable<AttentionSlot> slots, bool lent = false) : base(path) => Take(_slots = [.. slots], lent);

    public IEnumerable<Slot> Parts => _slots;

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        foreach (var slot in _slots)
            (k, v, mask) = slot.forward(context, x, q, k, v, mask);
        return (k, v, mask);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _slots.SelectMany(slot => slot.Stored(format));
}

/// <summary>Several slots on one output, one after the other.</summary>
internal sealed class ChainedOutput : OutputSlot, ISlotGroup
{
    private readonly IReadOnlyList<OutputSlot> _slots;

    public ChainedOutput(string path, IEnumerable<OutputSlot> slots, bool lent = false) : base(path) => Take(_slots = [.. slots], lent);

    public IEnumerable<Slot> Parts => _slots;

    public override Tensor forward(ForwardContext context, Tensor output)
    {
        var current = output;
        foreach (var slot in _slots)
        {
            var next = slot.forward(context, current);
            if (!ReferenceEquals(current, output))
                current.Dispose();
            current = next;
        }

        return current;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _slots.SelectMany(slot => slot.Stored(format));
}

/// <summary>Several slots at the root's door; the last that entered leaves first.</summary>
internal sealed class ChainedInput : InputSlot, ISlotGroup
{
    private readonly IReadOnlyList<InputSlot> _slots;

    public ChainedInput(string path, IEnumerable<InputSlot> slots, bool lent = false) : base(path) => Take(_slots = [.. slots], lent);

    public IEnumerable<Slot> Parts => _slots;

    public override void enter(ForwardContext context)
    {
        foreach (var slot in _slots)
            slot.enter(context);
    }

    public override Tensor leave(ForwardContext context, Tensor output)
    {
        var current = output;
        foreach (var slot in _slots.Reverse())
        {
            var next = slot.leave(context, current);
            if (!ReferenceEquals(current, output) && !ReferenceEquals(current, next))
                current.Dispose();
            current = next;
        }

        return current;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _slots.SelectMany(slot => slot.Stored(format));
}

/// <summary>An output slot on a layer: it changes what the layer returns.</summary>
internal sealed class OutputLayer : LayerSlot, ISlotGroup
{
    private readonly OutputSlot _output;

    public OutputLayer(string path, OutputSlot output) : base(path) => register_module("output", _output = output);

    public override bool ActsOnOutput => true;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        return _output.forward(layer.Context, y);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _output.Stored(format);

    public IEnumerable<Slot> Parts => [_output];
}
