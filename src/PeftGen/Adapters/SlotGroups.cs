using PeftGen.Compiled;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A slot made of others.</summary>
internal interface ISlotGroup
{
    /// <summary>The slots that it is made of.</summary>
    IEnumerable<Slot> Parts { get; }

    /// <summary>The slots of methods within.</summary>
    IEnumerable<Slot> AllSlots() => Parts.SelectMany(slot => slot is ISlotGroup group ? group.AllSlots() : [slot]);

    /// <summary>The slots of methods within, each with its part of the host.</summary>
    IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => Parts.SelectMany(slot => AdapterNode.PairsOf(slot, part));
}

/// <summary>Several slots on one layer, each around those before it: the methods of a group, or the values of a stack.</summary>
internal sealed class ChainedLayer : LayerSlot, ISlotGroup
{
    private readonly IReadOnlyList<LayerSlot> _slots;

    /// <param name="path">The layer's path.</param>
    /// <param name="slots">The slots, the first next to the host.</param>
    /// <param name="lent">Whether the slots belong to other adapters.</param>
    public ChainedLayer(string path, IEnumerable<LayerSlot> slots, bool lent = false) : base(path)
    {
        // A slot that stands in for the host lies below all others.
        _slots = slots.OrderBy(slot => slot.ReplacesHost ? 0 : 1).ToList();
        Take(_slots, lent);
    }

    public IReadOnlyList<LayerSlot> Chain => _slots;

    public IEnumerable<Slot> Parts => _slots;

    public override bool ActsOnOutput => _slots.All(slot => slot.ActsOnOutput);

    public override Tensor forward(LayerCall layer, Tensor x) => layer.Through(_slots, x);

    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value) =>
        _slots.Aggregate(value, (below, slot) => slot.read(context, host, name, below));

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _slots.SelectMany(slot => slot.Stored(format));
}

/// <summary>Runs a compiled module, known only as <c>Module&lt;Tensor, Tensor&gt;</c>, through its node.</summary>
internal sealed class NodeLayer : LayerSlot, ISlotGroup
{
    /// <param name="path">The module's path.</param>
    /// <param name="node">The module's node.</param>
    /// <param name="isBack">Whether the node lies above this slot, and is registered there.</param>
    public NodeLayer(string path, AdapterNode node, bool isBack = false) : base(path)
    {
        Node = node;
        IsBack = isBack;
        if (!isBack)
            register_module("node", node);
    }

    public AdapterNode Node { get; }

    public bool IsBack { get; }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        var host = (IAdapted<Tensor, Tensor>)layer.Host;
        return layer.WithHooks ? host.call(Node, layer.Context, x) : host.forward(Node, layer.Context, x);
    }

    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value)
    {
        if (host is not ILinearLayer linear)
            return base.read(context, host, name, value);
        var parameter = name == "bias" ? linear.Bias : linear.Weight;
        var site = Node.Members(host).FirstOrDefault(m => m.Kind == MemberKind.Parameter && ReferenceEquals(m.Host, parameter));
        return parameter is not null && site.Name is { } place && Node[place] is ParameterSlot slot ? slot.forward(context, parameter) : value;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => Parts.SelectMany(slot => slot.Stored(format));

    public IEnumerable<Slot> Parts => IsBack ? [] : Node.Slots();

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) => IsBack ? [] : Node.Pairs(part.Module);
}

/// <summary>Walks a <c>Sequential</c>: each of its modules runs through its slot, or alone.</summary>
internal sealed class SequentialLayer : LayerSlot, ISlotGroup
{
    private readonly IReadOnlyDictionary<string, LayerSlot> _slots;

    /// <param name="path">The sequence's path.</param>
    /// <param name="slots">The slots by the names of the sequence's modules.</param>
    /// <param name="lent">The names of those that belong to other adapters.</param>
    public SequentialLayer(string path, IReadOnlyDictionary<string, LayerSlot> slots, IReadOnlySet<string>? lent = null) : base(path)
    {
        _slots = slots;
        foreach (var (name, slot) in slots)
            if (lent?.Contains(name) == true)
                Lend(AdapterNode.InTree(name), slot);
            else
                register_module(AdapterNode.InTree(name), slot);
    }

    public IReadOnlyDictionary<string, LayerSlot> Elements => _slots;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        var current = x;
        foreach (var (name, module) in layer.Host.named_children())
        {
            // Sequential itself runs its modules with their hooks.
            var next = _slots.GetValueOrDefault(name).call(layer.Context, (nn.Module<Tensor, Tensor>)module, current);
            if (!ReferenceEquals(current, x) && !ReferenceEquals(current, next))
                current.Dispose();
            current = next;
        }

        return ReferenceEquals(current, x) ? x.alias() : current;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _slots.Values.SelectMany(slot => slot.Stored(format));

    public IEnumerable<Slot> Parts => _slots.Values;

    public IEnumerable<(Slot slot, HostPart part)> Pairs(HostPart part) =>
        part.Module.named_children().Where(child => _slots.ContainsKey(child.name))
            .SelectMany(child => AdapterNode.PairsOf(_slots[child.name], new HostPart(child.module)));
}
