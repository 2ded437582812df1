using System.Diagnostics.CodeAnalysis;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>What a way of composing adapters makes of the slots that its parts have at one site.</summary>
internal interface ISiteComposition
{
    /// <summary>Composes the slots of a layer. <paramref name="parts"/> has one entry for each part, null where it leaves the site to the base; one is not null.</summary>
    LayerSlot Layer(string path, IReadOnlyList<LayerSlot?> parts);

    /// <inheritdoc cref="Layer"/>
    ParameterSlot Parameter(string path, IReadOnlyList<ParameterSlot?> parts);

    /// <inheritdoc cref="Layer"/>
    ResidualSlot Residual(string path, IReadOnlyList<ResidualSlot?> parts);

    /// <inheritdoc cref="Layer"/>
    AttentionSlot Attention(string path, IReadOnlyList<AttentionSlot?> parts);

    /// <inheritdoc cref="Layer"/>
    OutputSlot Output(string path, IReadOnlyList<OutputSlot?> parts);

    /// <inheritdoc cref="Layer"/>
    InputSlot Input(string path, IReadOnlyList<InputSlot?> parts);
}

/// <summary>Walks the trees of several adapters side by side and makes one of them.</summary>
/// <param name="sites">What becomes of the slots at one site.</param>
/// <param name="name">The way of composing, for messages.</param>
internal sealed class AdapterComposition(ISiteComposition sites, string name)
{
    /// <summary>What a composition may create: the class of the root that its parts have in common.</summary>
    public const DynamicallyAccessedMemberTypes Constructors =
        DynamicallyAccessedMemberTypes.PublicConstructors | DynamicallyAccessedMemberTypes.NonPublicConstructors;

    // A module that the host has at two paths has one slot in each part, and one in the composition.
    private readonly Dictionary<IReadOnlyList<nn.Module?>, nn.Module> _made = new(new SameModules());

    /// <summary>Composes adapters; a null entry is the base.</summary>
    public T Of<[DynamicallyAccessedMembers(Constructors)] T>(IReadOnlyList<T?> parts) where T : AdapterNode
    {
        var adapters = parts.OfType<T>().ToList();
        foreach (var adapter in adapters)
            AdapterFit.Require(adapter, $"compose adapters with {name}.Of");
        var root = adapters.Select(a => a.GetType()).Distinct().Count() == 1 ? (T)adapters[0].New() : NewOf<T>();
        _made[parts] = root;
        if (adapters.Select(a => a.Derived).OfType<AdapterNode>().FirstOrDefault() is { } derived)
            root.StandAs(derived.New());
        Fill(root, parts);
        root.Root = new AdapterRoot(name, adapters);
        if (adapters.DistinctBy(adapter => adapter.training).ToList() is [var same])
            root.train(same.training);
        return root;
    }

    private T NewOf<[DynamicallyAccessedMembers(Constructors)] T>() where T : AdapterNode =>
        typeof(T).IsAbstract
            ? throw new AdapterException($"{name}.Of<{typeof(T).Name}>: adapters of several groups need the class's own type. Write {name}.Of<MyModel.Adapter>(…).")
            : (T)Activator.CreateInstance(typeof(T), nonPublic: true)!;

    private void Fill(AdapterNode into, IReadOnlyList<AdapterNode?> parts)
    {
        into.Path = parts.OfType<AdapterNode>().First().Path;
        foreach (var place in parts.OfType<AdapterNode>().SelectMany(part => part.Filled).Select(member => member.name).Distinct().ToList())
        {
            var values = parts.Select(part => part?[place]).ToList();
            if (values.OfType<Slot>().Any(IsShared))
                LendShared(into, place, values);
            else if (Compose(into, place, values) is var made && values.Contains(made))
                into.Lend(place, made);
            else
                into.Put(place, made);
        }

        foreach (var place in parts.OfType<AdapterNode>().SelectMany(part => part.Back.Keys).Distinct())
            into.Refer(place, Node(parts.Select(part => part?.Back.GetValueOrDefault(place)).ToList()));
    }

    /// <summary>What the slots of one part share is reached through them; it is here so that the tree's parameters are complete.</summary>
    private static void LendShared(AdapterNode into, string place, List<nn.Module?> values)
    {
        foreach (var (index, shared) in values.Index().Where(value => value.Item is not null).DistinctBy(value => value.Item))
            into.Lend($"{place}_{index.ToString(System.Globalization.CultureInfo.InvariantCulture)}", shared!);
    }

    private static bool IsShared(Slot slot) => slot is not (LayerSlot or ParameterSlot or ResidualSlot or AttentionSlot or OutputSlot or InputSlot);

    private nn.Module Compose(AdapterNode owner, string place, IReadOnlyList<nn.Module?> values)
    {
        if (_made.TryGetValue(values, out var known))
            return known;
        var filled = values.OfType<nn.Module>().ToList();
        nn.Module made = filled[0] switch
        {
            AdapterNode first when filled.All(v => v.GetType() == first.GetType()) => Node(Parts<AdapterNode>(values)),
            NodeLayer first when filled.All(v => v is NodeLayer) =>
                new NodeLayer(first.Path, Node(Parts<NodeLayer>(values).Select(v => v?.Node).ToList()), first.IsBack),
            SequentialLayer first when filled.All(v => v is SequentialLayer) => Sequence(owner, first.Path, Parts<SequentialLayer>(values)),
            LayerSlot first when filled.All(v => v is LayerSlot and not (NodeLayer or SequentialLayer)) => sites.Layer(first.Path, Parts<LayerSlot>(values)),
            ParameterSlot first when filled.All(v => v is ParameterSlot) => sites.Parameter(first.Path, Parts<ParameterSlot>(values)),
            ResidualSlot first when filled.All(v => v is ResidualSlot) => sites.Residual(first.Path, Parts<ResidualSlot>(values)),
            AttentionSlot first when filled.All(v => v is AttentionSlot) => sites.Attention(first.Path, Parts<AttentionSlot>(values)),
            OutputSlot first when filled.All(v => v is OutputSlot) => sites.Output(first.Path, Parts<OutputSlot>(values)),
            InputSlot first when filled.All(v => v is InputSlot) => sites.Input(first.Path, Parts<InputSlot>(values)),
            _ => throw new AdapterException(
                $"{(owner.Path.Length == 0 ? place : $"{owner.Path}.{place}")}: {name}.Of was given adapters that have different things here " +
                $"({string.Join(", ", filled.Select(v => v.GetType().Name).Distinct())}). Compose adapters of one and the same model."),
        };
        return _made[values] = made;
    }

    private static List<T?> Parts<T>(IReadOnlyList<nn.Module?> values) where T : nn.Module => values.Select(v => (T?)v).ToList();

    /// <summary>The node for nodes of the parts; known before it is filled, since what lies below may refer to it.</summary>
    private AdapterNode Node(IReadOnlyList<AdapterNode?> parts)
    {
        if (_made.TryGetValue(parts, out var known))
            return (AdapterNode)known;
        var node = parts.OfType<AdapterNode>().First().New();
        _made[parts] = node;
        Fill(node, parts);
        return node;
    }

    private SequentialLayer Sequence(AdapterNode owner, string path, IReadOnlyList<SequentialLayer?> parts)
    {
        var slots = new Dictionary<string, LayerSlot>();
        var lent = new HashSet<string>();
        foreach (var element in parts.OfType<SequentialLayer>().SelectMany(part => part.Elements.Keys).Distinct())
        {
            var values = parts.Select(part => (nn.Module?)part?.Elements.GetValueOrDefault(element)).ToList();
            slots[element] = (LayerSlot)Compose(owner, element, values);
            if (values.Contains(slots[element]))
                lent.Add(element);
        }

        return new SequentialLayer(path, slots, lent);
    }

    private sealed class SameModules : IEqualityComparer<IReadOnlyList<nn.Module?>>
    {
        public bool Equals(IReadOnlyList<nn.Module?>? x, IReadOnlyList<nn.Module?>? y) =>
            ReferenceEquals(x, y) || (x is not null && y is not null && x.SequenceEqual(y, ReferenceEqualityComparer.Instance));

        public int GetHashCode(IReadOnlyList<nn.Module?> modules) =>
            modules.Aggregate(0, (hash, module) => HashCode.Combine(hash, module is null ? 0 : System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(module)));
    }
}
