using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// What an adapter puts beside one module of the host: slots and further nodes, in the shape of the host's own tree.
/// The generated <c>Adapter</c> of each compiled class derives from it. A node holds nothing of the host.
/// </summary>
public abstract class AdapterNode : nn.Module
{
    private Dictionary<string, nn.Module> _members = [];
    private readonly Dictionary<string, AdapterNode> _back = [];
    private readonly LentModules _lent = new();
    private Randomness? _randomness;
    private IReadOnlyList<Slot> _shared = [];

    /// <summary>Creates an empty node.</summary>
    protected AdapterNode() : base("adapter") { }

    /// <summary>The path of the module that the node stands beside, from the root; empty at the root.</summary>
    public string Path { get; internal set; } = "";

    /// <summary>Whether the node is disposed.</summary>
    internal bool IsDisposed { get; private set; }

    /// <summary>What only the root of an adapter has.</summary>
    internal AdapterRoot? Root { get; set; }

    /// <summary>The node of the model's own class, where that derives from the class of the root; it has this node's members. Null: this node is one.</summary>
    internal AdapterNode? Derived { get; private set; }

    /// <summary>This node as the class of the model knows it, or as one of its base classes does.</summary>
    /// <exception cref="AdapterException">The model is of another class than the one that the adapter was made for.</exception>
    public T As<T>() where T : AdapterNode => this as T ?? Derived as T ?? throw new AdapterException(
        $"this adapter is a {NameOf(GetType())}{(Derived is null ? "" : $" with a {NameOf(Derived.GetType())}")}, and the model runs with a {NameOf(typeof(T))}. " +
        "Give what CreateAdapter or LoadAdapter of this very model, or of one of its class, returned.");

    /// <summary>Makes the node of a derived class stand for this one in that class's code.</summary>
    internal void StandAs(AdapterNode own)
    {
        if (own.GetType().IsInstanceOfType(this))
            return;
        own._members = _members;
        own.Path = Path;
        Derived = own;
    }

    /// <summary>The places of the model's own class.</summary>
    internal IEnumerable<Member> Places(nn.Module host) => (Derived ?? this).Members(host);

    private static string NameOf(Type type) => type.DeclaringType is { } outer ? $"{outer.Name}.{type.Name}" : type.Name;

    /// <summary>
    /// Whether blocks whose class has <see cref="GradientCheckpointingAttribute"/> keep only their inputs for the backward pass and compute the rest again there:
    /// less memory for another forward pass. Default: no. Set it on the adapter itself.
    /// </summary>
    /// <exception cref="AdapterException">It is switched on and the model has no such block, or this is a part of an adapter.</exception>
    public bool GradientCheckpointing
    {
        get => _randomness is not null;
        set
        {
            if (Root is not { } root)
                throw new AdapterException($"{Path}: gradient checkpointing is switched on the adapter itself, and this is a part of one.");
            var nodes = Nodes().ToList();
            if (value && !nodes.Any(node => node.IsCheckpointed))
                throw new AdapterException("no class below the model has [GradientCheckpointing], so there is no block to compute again. Put the attribute on the class of the model's blocks.");
            var randomness = value ? new Randomness([.. root.DropoutSources]) : null;
            foreach (var node in nodes)
                (node._randomness, node._shared) = (randomness, value ? root.Shared : []);
        }
    }

    /// <summary>Whether the class has <see cref="GradientCheckpointingAttribute"/>; generated nodes say so.</summary>
    protected internal virtual bool IsCheckpointed => false;

    /// <summary>What blocks below draw from, where they are computed again.</summary>
    internal Randomness Randomness => _randomness!;

    /// <summary>What learns in blocks below, where they are computed again: their own slots and those that the whole adapter shares.</summary>
    internal IEnumerable<Parameter> Learning => Slots().Concat(_shared).Distinct().SelectMany(slot => slot.parameters()).Where(p => p.requires_grad).Distinct();

    /// <summary>An empty node of the same class.</summary>
    protected internal abstract AdapterNode New();

    /// <summary>The places of the class, paired with what stands there in <paramref name="host"/>.</summary>
    /// <param name="host">A module of the class that the node was generated for.</param>
    protected internal abstract IEnumerable<Member> Members(nn.Module host);

    /// <summary>The sums in the class's code that are no residuals, with the reasons, for messages; null: there are none.</summary>
    protected internal virtual string? OtherSums => null;

    /// <summary>What stands at a place; null where it is empty.</summary>
    /// <param name="name">The place's name.</param>
    protected T? At<T>(string name) where T : nn.Module => (T?)this[name];

    /// <summary>The nodes or slots beside a list or dictionary.</summary>
    /// <param name="name">The place's name.</param>
    protected AdapterList<T> ListAt<T>(string name) where T : nn.Module => new(At<ElementNode>(name));

    /// <summary>Finds the slots beside modules of <paramref name="host"/> that code meets through a loop, an index or a variable.</summary>
    /// <param name="host">The module that the node stands beside.</param>
    public NodeLookup In(nn.Module host) => new(this, host);

    /// <summary>A name as TorchSharp registers it, which takes no dots: of lists in lists, and of steps that are called so.</summary>
    internal static string InTree(string name) => name.Replace('.', '_');

    internal nn.Module? this[string name] => _members.GetValueOrDefault(name) ?? (_back.Count == 0 ? null : _back.GetValueOrDefault(name));

    internal IEnumerable<(string name, nn.Module value)> Filled => _members.Select(m => (m.Key, m.Value));

    /// <summary>The nodes above this one at places of it.</summary>
    internal IReadOnlyDictionary<string, AdapterNode> Back => _back;

    /// <summary>Puts a slot or node at a place. A slot that another path already registered is only referred to.</summary>
    internal void Put(string name, nn.Module member)
    {
        _members.Add(name, member);
        register_module(InTree(name), member);
    }

    /// <summary>Refers to a node above this one, where a child of the host knows what it lies in. It is registered there, so that no walk goes round.</summary>
    internal void Refer(string name, AdapterNode above) => _back.Add(name, above);

    /// <summary>Puts what belongs to another adapter at a place; disposing this node leaves it alone.</summary>
    internal void Lend(string name, nn.Module member)
    {
        _members.Add(name, member);
        _lent.Register(this, InTree(name), member);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        IsDisposed = true;
        if (disposing)
            _lent.GiveBack(this);
        base.Dispose(disposing);
    }

    /// <summary>All slots below, each once, in the order of the tree.</summary>
    public IEnumerable<Slot> Slots() => AllSlots().Distinct();

    private IEnumerable<Slot> AllSlots()
    {
        foreach (var member in _members.Values)
            foreach (var slot in member switch
            {
                AdapterNode node => node.AllSlots(),
                ISlotGroup group => group.AllSlots(),
                Slot single => [single],
                _ => [],
            })
                yield return slot;
    }

    /// <summary>This node and all nodes below.</summary>
    private IEnumerable<AdapterNode> Nodes() => _members.Values.SelectMany(NodesOf).Prepend(this).Concat(Derived is { } own ? [own] : []);

    private static IEnumerable<AdapterNode> NodesOf(nn.Module member) => member switch
    {
        AdapterNode node => node.Nodes(),
        NodeLayer { IsBack: false } layer => layer.Node.Nodes(),
        SequentialLayer sequential => sequential.Elements.Values.SelectMany(NodesOf),
        _ => [],
    };

    /// <summary>All slots below, each with the part of the host that it stands beside.</summary>
    /// <param name="host">The module that this node stands beside.</param>
    internal IEnumerable<(Slot slot, HostPart part)> Pairs(nn.Module host)
    {
        foreach (var member in Places(host))
        {
            if (!_members.TryGetValue(member.Name, out var value))
                continue;
            var pairs = (member.Kind, value) switch
            {
                (MemberKind.Layers or MemberKind.Children, ElementNode list) =>
                    member.Elements().Where(e => list._members.ContainsKey(e.name)).SelectMany(e => PairsOf(list._members[e.name], new HostPart(e.module))),
                (MemberKind.Parameter, _) => PairsOf(value, new HostPart(host, (Parameter)member.Host!)),
                _ => PairsOf(value, new HostPart(member.Host as nn.Module ?? host)),
            };
            foreach (var pair in pairs)
                yield return pair;
        }
    }

    internal static IEnumerable<(Slot slot, HostPart part)> PairsOf(nn.Module value, HostPart part) => value switch
    {
        AdapterNode node => node.Pairs(part.Module),
        ISlotGroup group => group.Pairs(part),
        Slot slot => [(slot, part)],
        _ => [],
    };

    /// <summary>Nothing is found by reflection: what a node registers, it registers itself.</summary>
    protected sealed override void RegisterComponents() { }

    /// <inheritdoc/>
    protected sealed override void _toEpilog(ScalarType? dtype, Device? device, bool non_blocking)
    {
        foreach (var (_, child) in named_children())
        {
            if (device is null)
                child.to(dtype!.Value, non_blocking: non_blocking);
            else if (dtype is null)
                child.to(device, non_blocking: non_blocking);
            else
                child.to(device, dtype.Value, non_blocking);
        }
    }
}

/// <summary>A part of the host that a slot stands beside.</summary>
/// <param name="Module">The layer, or the module that owns the parameter.</param>
/// <param name="Parameter">The parameter; null where the slot stands beside a module.</param>
public readonly record struct HostPart(nn.Module Module, Parameter? Parameter = null);

/// <summary>The node beside a list or dictionary: slots or nodes by index or key.</summary>
internal sealed class ElementNode : AdapterNode
{
    protected internal override AdapterNode New() => new ElementNode();

    protected internal override IEnumerable<Member> Members(nn.Module host) => [];
}

/// <summary>The nodes or slots beside a list or dictionary of the host.</summary>
/// <typeparam name="T">The class of the nodes, or <see cref="LayerSlot"/>.</typeparam>
public readonly struct AdapterList<T> where T : nn.Module
{
    private readonly AdapterNode? _elements;

    internal AdapterList(AdapterNode? elements) => _elements = elements;

    /// <summary>What stands beside the element with an index; null where nothing does.</summary>
    /// <param name="index">The index in the host's list.</param>
    public T? this[int index] => this[index.ToString(System.Globalization.CultureInfo.InvariantCulture)];

    /// <summary>What stands beside the element with a key; null where nothing does.</summary>
    /// <param name="key">The key in the host's dictionary.</param>
    public T? this[string key] => (T?)_elements?[key];
}

/// <summary>Finds what stands beside modules of a host by their place in the host as it is now.</summary>
public readonly struct NodeLookup
{
    private readonly AdapterNode _node;
    private readonly nn.Module _host;

    internal NodeLookup(AdapterNode node, nn.Module host)
    {
        _node = node;
        _host = host;
    }

    /// <summary>The slot beside a layer of the host; null where nothing is adapted.</summary>
    /// <exception cref="AdapterException">The layer is none of the host's.</exception>
    public LayerSlot? Slot(nn.Module layer) => (LayerSlot?)Find(layer);

    /// <summary>The node beside a child of the host.</summary>
    /// <exception cref="AdapterException">The child is none of the host's.</exception>
    public T Node<T>(nn.Module child) where T : AdapterNode =>
        (Find(child) is NodeLayer layer ? layer.Node : (AdapterNode?)Find(child)) as T ?? throw new AdapterException(
            $"{Describe()}: an adapter was made before this {child.GetType().Name} stood there. Create or load the adapter after the model is built.");

    /// <summary>The node beside a child of the host whose class is known only at run time; null where nothing is adapted.</summary>
    public AdapterNode? NodeOf(nn.Module child) => Find(child) is NodeLayer layer ? layer.Node : (AdapterNode?)Find(child);

    /// <summary>Finds the node beside a child that an expression gives once.</summary>
    /// <param name="child">The child.</param>
    /// <param name="node">Its node.</param>
    /// <returns>The child.</returns>
    public TModule Meet<TModule, TNode>(TModule child, out TNode node) where TModule : nn.Module where TNode : AdapterNode
    {
        node = Node<TNode>(child);
        return child;
    }

    private nn.Module? Find(nn.Module module)
    {
        foreach (var member in _node.Members(_host))
        {
            if (ReferenceEquals(member.Host, module))
                return _node[member.Name];
            if (member.Host is Sequential sequential && sequential.named_children().FirstOrDefault(c => ReferenceEquals(c.module, module)) is { module: not null } step)
                return (_node[member.Name] as SequentialLayer)?.Elements.GetValueOrDefault(step.name);
            if (!member.IsList)
                continue;
            foreach (var (name, element) in member.Elements())
                if (ReferenceEquals(element, module))
                    return (_node[member.Name] as AdapterNode)?[name];
        }

        throw new AdapterException(
            $"{Describe()}: a {module.GetType().Name} was called that is none of this module's children, so no adapter can stand beside it. " +
            "Call children through fields, lists or dictionaries of the class that calls them.");
    }

    private string Describe() => _node.Path.Length == 0 ? _host.GetType().Name : $"{_node.Path} ({_host.GetType().Name})";
}
