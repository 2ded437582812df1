using PeftGen.Checkpoints;
using PeftGen.Methods;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Makes an adapter: walks the host with an empty tree and asks the methods for slots.</summary>
internal sealed class AdapterCreation
{
    private readonly nn.Module _host;
    private readonly List<MethodClaims> _methods;
    private readonly HashSet<string> _otherSums = [];
    private readonly Dictionary<nn.Module, AdapterNode> _nodes = new(ReferenceEqualityComparer.Instance);
    private readonly HashSet<AdapterNode> _open = [];
    private readonly Dictionary<nn.Module, LayerSlot> _layers = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, Slot> _shared = [];
    private readonly Dictionary<Slot, AdaptAttribute> _methodOf = [];
    private readonly HashSet<string> _compiled = [];
    private readonly List<(SiteKind kind, string path)> _sites = [];
    private readonly HashSet<HostClaim> _met = [];
    private readonly Dictionary<TargetList, ResolvedTargets> _resolved = [];
    private AdaptAttribute? _asked;

    /// <param name="host">The model.</param>
    /// <param name="values">The methods with their values.</param>
    /// <param name="generator">For random starts and dropout; null: seeded from torch's own generator.</param>
    /// <param name="room">What the files hold that are read into the adapter; null: there are none.</param>
    public AdapterCreation(nn.Module host, IReadOnlyList<AdaptAttribute> values, Generator? generator, FileRoom? room = null)
    {
        _host = host;
        Room = room;
        RegisteredCycles.Refuse(host);
        Generator = generator ?? NewGenerator();
        Dropout = new DropoutSource(DrawSeed(Generator));
        (Device, Dtype) = PlaceOfParameters(host);
        Paths = HostPaths.Of(host);
        _methods = values.SelectMany(method => method.Parts).Select(method => new MethodClaims(method, Paths)).ToList();
    }

    public bool IsForFile => Room is not null;

    public FileRoom? Room { get; }

    public Generator Generator { get; }

    public DropoutSource Dropout { get; }

    public Device Device { get; }

    public ScalarType Dtype { get; }

    public HostPaths Paths { get; }

    public List<Action> Completions { get; } = [];

    /// <summary>Fills an empty tree.</summary>
    public void Fill(AdapterNode root, nn.Module host)
    {
        // The root has one such site, and what is shared behind it is made before that is met.
        Exclusion.Check("the model's inputs", _methods.SelectMany(m => m.Claims.Where(c => c.Claim.Kind == SiteKind.Input).Select(c => (m.Method, c.Claim))));
        using var made = LearnedTensors.Collect();
        using (no_grad())
        using (NewDisposeScope())
        {
            _nodes[host] = root;
            if (host is IAdaptable adaptable)
                root.StandAs(adaptable.NewAdapterNode());
            FillNode(root, host, "");
            foreach (var complete in Completions)
                complete();
        }

        var findings = new TargetFindings(_host, Paths, _compiled, _sites.ToLookup(site => site.kind, site => site.path), _met, IsForFile, _otherSums);
        foreach (var method in _methods)
            findings.Check(method);
        if (_methodOf.Count == 0 && !IsForFile)
            throw new AdapterException(
                $"{string.Join(", ", _methods.Select(m => m.Method))}: nothing of this model is adapted, so there would be nothing to train: what the targets mean is missing in this model, such as biases in layers without them.");
        made.Keep();
        root.Root = new AdapterRoot(
            _methods, _shared.Values.ToList(), _methodOf, Dropout,
            _sites.GroupBy(site => site.kind).ToDictionary(sites => sites.Key, sites => (IReadOnlyList<string>)sites.Select(site => site.path).ToList()))
        { Fit = new AdapterFit(host, root) };
        foreach (var (name, shared) in _shared)
            root.Put(name, shared);
    }

    /// <summary>What a list of targets means in this host.</summary>
    public ResolvedTargets Resolve(TargetList targets)
    {
        if (!_resolved.TryGetValue(targets, out var resolved))
            _resolved[targets] = resolved = targets.Resolve(Paths.Shape);
        return resolved;
    }

    public T Share<T>(string name, Func<T> make) where T : Slot
    {
        if (!_shared.TryGetValue(name, out var shared))
        {
            _shared[name] = shared = make();
            if (_asked is not null)
                _methodOf[shared] = _asked;
        }

        return (T)shared;
    }

    /// <summary>The other layers whose weight is that of a layer, each with its path and the slots beside it; complete once all sites are known.</summary>
    public IEnumerable<(string path, IEnumerable<Slot> slots)> Sharing(nn.Module layer)
    {
        var weight = Weights(layer).ToList();
        return _host.named_modules().Where(m => !ReferenceEquals(m.module, layer) && Weights(m.module).Any(weight.Contains)).DistinctBy(m => m.module)
            .Select(m => (Paths.InCheckpoint(m.name), _layers.GetValueOrDefault(m.module) switch { null => [], ISlotGroup group => group.AllSlots(), Slot slot => [slot] }));

        static IEnumerable<TensorIdentity> Weights(nn.Module module) =>
            module.named_parameters(recurse: false).Where(p => p.name == "weight").Select(p => TensorIdentity.Of(p.parameter));
    }

    private void FillNode(AdapterNode node, nn.Module host, string path)
    {
        UncompiledOverrides.Refuse(host, path);
        node.Path = path;
        if (node.OtherSums is { } sums)
            _otherSums.Add(sums);
        _open.Add(node);
        foreach (var member in node.Places(host))
        {
            var place = Join(path, member.Path);
            var made = member.Kind switch
            {
                _ when member.Host is null && !member.IsInCode => null,
                MemberKind.Layer => MakeLayer((nn.Module)member.Host!, host, place),
                MemberKind.Child => MakeChild((nn.Module)member.Host!, place),
                MemberKind.Layers => MakeList(member, place, (module, at) => MakeLayer(module, host, at)),
                MemberKind.Children => MakeList(member, place, MakeChild),
                MemberKind.Parameter => MakeSlots<ParameterSlot>(SiteKind.Parameter, place, new HostPart(host, (Parameter)member.Host!), host),
                MemberKind.Residual => MakeSlots<ResidualSlot>(SiteKind.Residual, place, new HostPart(member.Host as nn.Module ?? host), host),
                MemberKind.Attention => MakeSlots<AttentionSlot>(SiteKind.Attention, path, new HostPart(host), host),
                MemberKind.Output => MakeSlots<OutputSlot>(SiteKind.Output, path, new HostPart(host), host),
                MemberKind.Input => MakeSlots<InputSlot>(SiteKind.Input, path, new HostPart(host), host),
                _ => null,
            };
            Put(node, member.Name, made);
        }

        _open.Remove(node);
    }

    /// <summary>Puts what was made at a place. A node that is still being filled lies above: a child of the host knows what it lies in.</summary>
    private void Put(AdapterNode into, string name, nn.Module? made)
    {
        if (made is AdapterNode above && _open.Contains(above))
            into.Refer(name, above);
        else if (made is not null)
            into.Put(name, made);
    }

    private AdapterNode? MakeChild(nn.Module module, string path)
    {
        if (_nodes.TryGetValue(module, out var known))
        {
            if (!_open.Contains(known))
                Alias(known.Path, path);
            return known;
        }

        if (module is not IAdaptable adaptable)
            return null;
        var node = adaptable.NewAdapterNode();
        _nodes[module] = node;
        FillNode(node, module, path);
        return node;
    }

    /// <summary>What is compiled at one path of a shared module is compiled at the other.</summary>
    private void Alias(string path, string other) =>
        _compiled.UnionWith(_compiled.Where(p => p == path || p.StartsWith(path + ".", StringComparison.Ordinal)).Select(p => other + p[path.Length..]).ToList());

    private ElementNode? MakeList(Member list, string path, Func<nn.Module, string, nn.Module?> make)
    {
        var elements = new ElementNode { Path = path };
        foreach (var (name, module) in list.Elements())
            Put(elements, name, make(module, Join(path, name)));
        return elements;
    }

    private LayerSlot? MakeLayer(nn.Module module, nn.Module owner, string path)
    {
        if (_layers.TryGetValue(module, out var known))
        {
            Alias(known.Path, path);
            return known;
        }

        LayerSlot? slot = module switch
        {
            // A linear layer of the user's own whose parameters are sites, too.
            IAdaptable and ILinearLayer when MakeSlots<LayerSlot>(SiteKind.Layer, path, new HostPart(module), owner) is LayerSlot around =>
                new ChainedLayer(path, [new NodeLayer(path, MakeChild(module, path)!), around]),
            IAdaptable when _nodes.GetValueOrDefault(module) is { } above && _open.Contains(above) => new NodeLayer(path, above, isBack: true),
            IAdaptable => new NodeLayer(path, MakeChild(module, path)!),
            Sequential => MakeSequential(module, path),
            _ => (LayerSlot?)MakeSlots<LayerSlot>(SiteKind.Layer, path, new HostPart(module), owner),
        };
        if (slot is not null)
            _layers[module] = slot;
        return slot;
    }

    private SequentialLayer? MakeSequential(nn.Module sequential, string path)
    {
        var slots = new Dictionary<string, LayerSlot>();
        foreach (var (name, module) in sequential.named_children())
            if (MakeLayer(module, sequential, Join(path, name)) is { } slot)
                slots[name] = slot;
        return slots.Count == 0 ? null : new SequentialLayer(path, slots);
    }

    /// <summary>Asks every method that claims a site, in the order of the group.</summary>
    private nn.Module? MakeSlots<T>(SiteKind kind, string path, HostPart host, nn.Module owner) where T : Slot
    {
        var linear = HostLinear.Is(host.Module);
        var slots = new List<T>();
        var takers = new List<(AdaptAttribute method, Claim claim, Slot slot)>();
        var layerClaimed = kind == SiteKind.Layer && _methods.Any(m => m.Claims.Any(c => c.Claim.Kind == SiteKind.Layer && c.Matches(path, linear)));
        _compiled.Add(path);
        // What a built-in layer returns is an output, too.
        _sites.AddRange(kind == SiteKind.Layer ? [(SiteKind.Output, path)] : [(kind, path)]);
        foreach (var method in _methods)
        {
            foreach (var claim in method.Claims)
            {
                var matches = claim.Claim.Kind == kind ? claim.Matches(path, linear)
                    : kind == SiteKind.Layer && claim.Claim.Kind == SiteKind.Output ? claim.Matches(path, linear)
                    : kind == SiteKind.Layer && claim.Claim.Kind == SiteKind.Parameter && host.Module is not IAdaptable && claim.MatchesAnyParameter(path, host.Module);
                if (kind == SiteKind.Layer && claim.Claim.Kind == SiteKind.Parameter)
                    foreach (var (name, _) in host.Module.named_parameters())
                        _compiled.Add(Join(path, name));
                if (!matches || (claim.Claim.Tied && !Sharing(host.Module).Any()))
                    continue;
                if (claim.Claim is { Kind: SiteKind.Layer, TakesParts: false } && claim.PartsOf(path) is { } parts)
                    throw new AdapterException($"{path}: {method.Method.GetType().Name} acts on whole layers, and the targets '{claim.Claim.Targets}' mean the parts {string.Join(", ", parts)} of this one. Name the layer itself.");
                var site = new Site(this, claim.Claim.Kind, claim, path, host, owner, layerClaimed);
                Exclusion.Check(path, takers.Select(t => (t.method, t.claim)).Append((method.Method, claim.Claim)));
                _asked = method.Method;
                _met.Add(claim);
                var made = claim == method.Whole ? TrainedParts.CreateSlot(site, method.Method.ModuleNames) : method.Method.CreateSlot(site);
                _methodOf[made] = method.Method;
                var slot = (made is OutputSlot output && kind == SiteKind.Layer ? new OutputLayer(path, output) : made) as T ?? throw new AdapterException(
                    $"{path}: {method.Method.GetType().Name} made a slot for a {claim.Claim.Kind} site that is no {typeof(T).Name}. CreateSlot has to return a {typeof(T).Name} there.");
                slots.Add(slot);
                takers.Add((method.Method, claim.Claim, slot));
            }
        }

        Exclusion.CheckCopies(path, takers.Select(t => (t.method, t.slot)));
        return slots switch
        {
            [] => null,
            [var only] => only,
            _ when slots is List<LayerSlot> layers => new ChainedLayer(path, layers),
            _ when slots is List<AttentionSlot> attentions => new ChainedAttention(path, attentions),
            _ when slots is List<OutputSlot> outputs => new ChainedOutput(path, outputs),
            _ when slots is List<InputSlot> inputs => new ChainedInput(path, inputs),
            _ => throw Exclusion.TakenTwice(path, kind, takers.Select(t => t.method)),
        };
    }

    private static string Join(string path, string name) => path.Length == 0 ? name : name.Length == 0 ? path : $"{path}.{name}";

    private static Generator NewGenerator()
    {
        using var seed = randint(long.MaxValue, [1], dtype: ScalarType.Int64);
        return new Generator((ulong)seed.item<long>());
    }

    private static long DrawSeed(Generator generator)
    {
        using var seed = randint(long.MaxValue, [1], dtype: ScalarType.Int64, generator: generator);
        return seed.item<long>();
    }

    private static (Device, ScalarType) PlaceOfParameters(nn.Module host)
    {
        var first = host.parameters().FirstOrDefault(p => p.is_floating_point());
        return first is null ? (CPU, ScalarType.Float32)
            : (first.device, first.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? ScalarType.Float32 : first.dtype);
    }
}
