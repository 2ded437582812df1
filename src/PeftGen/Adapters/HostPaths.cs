using PeftGen.Methods;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Every module and parameter of a host by its path in checkpoints.</summary>
internal sealed class HostPaths
{
    private const string BackingField = ">k__BackingField";
    private readonly Dictionary<string, string> _names = [];
    private readonly Dictionary<string, TargetCandidate> _linear;
    private readonly List<(string path, nn.Module module)> _modules;
    private readonly Dictionary<object, string> _paths;
    private readonly HashSet<object> _visited = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, IReadOnlyList<string>> _fused = [];

    private HostPaths(nn.Module host)
    {
        foreach (var (path, module) in host.named_modules().Prepend(("", host)))
            if (module is IAdaptable adaptable)
                foreach (var (registered, inCheckpoint) in Renamed(module, adaptable))
                    _names[Property(path.Length == 0 ? registered : $"{path}.{registered}")] = inCheckpoint;
        foreach (var (path, module) in host.named_modules().Prepend(("", host)))
            if (module is IAdaptable adaptable)
                foreach (var (fused, parts) in Fused(module, adaptable))
                    _fused[path.Length == 0 ? fused : $"{InCheckpoint(path)}.{fused}"] = parts;
        _modules = [.. host.named_modules().Select(m => (InCheckpoint(m.name), m.module))];
        _paths = new(ReferenceEqualityComparer.Instance) { [host] = "" };
        foreach (var (path, module) in _modules)
            _paths.TryAdd(module, path);
        AddUnregistered(host, "");
        Blocks = new BlockNumbers(_modules);
        var modules = _modules.Select(m => Candidate(m.path, m.module));
        Parameters = host.named_parameters().Select(p => InCheckpoint(p.name)).ToList();
        Candidates = modules.Concat(Parameters.Select(path => new TargetCandidate(path, false) { Kind = CandidateKind.Parameter })).ToList();
        Modules = [.. Candidates.Where(c => c.Kind != CandidateKind.Parameter)];
        Shape = new ModelShape(Candidates);
        _linear = Candidates.Where(c => c.IsLinear).DistinctBy(c => c.Path).ToDictionary(c => c.Path);
    }

    /// <summary>What targets can name.</summary>
    public IReadOnlyList<TargetCandidate> Candidates { get; }

    /// <summary>What lies where, in which roles are looked for.</summary>
    public ModelShape Shape { get; }

    /// <summary>The modules among them.</summary>
    public IReadOnlyList<TargetCandidate> Modules { get; }

    /// <summary>The paths of the parameters.</summary>
    public IReadOnlyList<string> Parameters { get; }

    /// <summary>The model's blocks.</summary>
    public BlockNumbers Blocks { get; }

    /// <summary>The candidate of a path.</summary>
    public TargetCandidate At(string path) => new(path, IsLinear(path)) { Parts = PartsOf(path) };

    /// <summary>The module at a path; null: there is none.</summary>
    public nn.Module? ModuleAt(string path) => _modules.FirstOrDefault(m => m.path == path).module;

    /// <summary>The path of a module; null: the model does not have it.</summary>
    public string? PathOf(nn.Module module) => _paths.GetValueOrDefault(module);

    /// <summary>The modules below a path, in the model's order.</summary>
    public IEnumerable<(string path, nn.Module module)> ModulesBelow(string path) =>
        path.Length == 0 ? _modules : _modules.Where(m => m.path.StartsWith(path, StringComparison.Ordinal) && m.path.Length > path.Length && m.path[path.Length] == '.');

    /// <summary>Whether a path is that of a linear layer.</summary>
    public bool IsLinear(string path) => _linear.ContainsKey(path);

    /// <summary>The parts of the fused layer at a path; null: it is none.</summary>
    public IReadOnlyList<string>? PartsOf(string path) => _linear.GetValueOrDefault(path).Parts;

    public static HostPaths Of(nn.Module host) => new(host);

    /// <summary>The path in checkpoints of what is registered at a path: renamed fields, and properties under their own names.</summary>
    public string InCheckpoint(string registered)
    {
        var dot = registered.LastIndexOf('.');
        var last = registered[(dot + 1)..];
        var renamed = _names.GetValueOrDefault(Property(registered)) ?? Property(last);
        return dot < 0 ? renamed : $"{InCheckpoint(registered[..dot])}.{renamed}";
    }

    private TargetCandidate Candidate(string path, nn.Module module)
    {
        if (!HostLinear.Is(module))
            return new TargetCandidate(path, false) { Kind = KindOf(module) };
        var linear = HostLinear.Of(module, path, "a fused layer");
        // What is known of a name holds where the sizes bear it out.
        var known = FusedTable.Find(path) is { } parts && linear.Outputs == parts.Count * linear.Inputs ? parts : null;
        return new TargetCandidate(path, true) { Parts = _fused.GetValueOrDefault(path) ?? known, Kind = CandidateKind.Linear };
    }

    private static CandidateKind KindOf(nn.Module module)
    {
        var types = new List<string>();
        for (var type = module.GetType(); type is not null && type != typeof(nn.Module); type = type.BaseType)
        {
            if (type.Assembly != typeof(nn.Module).Assembly && type.Assembly != typeof(HostPaths).Assembly)
                continue;
            types.Add(type.Name);
        }

        // TorchSharp's abstract modules alone say nothing.
        types.RemoveAll(name => name.StartsWith("Module`", StringComparison.Ordinal) || name.StartsWith("HookableModule`", StringComparison.Ordinal));
        return types.Count == 0 ? CandidateKind.Module : LayerKinds.Of(types);
    }

    /// <summary>
    /// Adds what compiled classes hold and TorchSharp does not know: elements that were added to a list after it was registered, or that nobody registered.
    /// </summary>
    private void AddUnregistered(nn.Module module, string path)
    {
        if (!_visited.Add(module))
            return;
        if (module is not IAdaptable adaptable)
        {
            foreach (var (name, child) in module.named_children())
                AddUnregistered(child, _paths.GetValueOrDefault(child) ?? $"{path}.{name}");
            return;
        }

        var fields = 0;
        foreach (var member in adaptable.NewAdapterNode().Members(module).Where(m => !m.IsInCode && m.Kind != MemberKind.Parameter && m.Host is not null))
        {
            foreach (var (place, held) in member.IsList ? member.Elements().Select(e => ($"{member.Path}.{e.name}", e.module)) : member.Host is nn.Module only ? [(member.Path, only)] : [])
            {
                var inside = path.Length == 0 ? place : $"{path}.{place}";
                if (_paths.TryAdd(held, inside))
                {
                    fields += member.IsList ? 0 : 1;
                    _modules.Add((inside, held));
                    AddUnregistered(held, inside);
                    foreach (var (name, below) in held.named_modules())
                        if (_paths.TryAdd(below, $"{inside}.{name}"))
                            _modules.Add(($"{inside}.{name}", below));
                }

                AddUnregistered(held, _paths[held]);
            }
        }

        // A class whose modules are all unknown forgot it; one list that is not registered is the compiler's warning.
        if (fields > 0 && !module.named_children().Any())
            throw new AdapterException(
                $"{(path.Length == 0 ? module.GetType().Name : $"{path} ({module.GetType().Name})")}: TorchSharp knows none of the layers that this module holds, so they do not train, move or save. " +
                "Call RegisterComponents() at the end of its constructor.");
    }

    private static IEnumerable<(string path, IReadOnlyList<string> parts)> Fused(nn.Module module, IAdaptable adaptable) =>
        from member in adaptable.NewAdapterNode().Members(module)
        where member.Parts is not null
        from path in member.IsList ? member.Elements().Select(e => $"{member.Path}.{e.name}") : [member.Path]
        select (path, member.Parts);

    /// <summary>What is registered under other names than the compiler knows: renamed fields, and children that were registered by hand.</summary>
    private static IEnumerable<(string registered, string path)> Renamed(nn.Module module, IAdaptable adaptable)
    {
        var children = module.named_children().ToList();
        foreach (var member in adaptable.NewAdapterNode().Members(module))
        {
            if (member.IsInCode)
                continue;
            if (member.Path != member.Name)
                yield return (member.Name, member.Path);
            else if ((member.Kind is MemberKind.Layer or MemberKind.Child or MemberKind.Plain) && member.Host is nn.Module child && !children.Any(c => Property(c.name) == member.Name && ReferenceEquals(c.module, child)))
                foreach (var (name, _) in children.Where(c => ReferenceEquals(c.module, child)))
                    yield return (name, member.Path);
            else if (member.Kind is MemberKind.Layers or MemberKind.Children && member.Host is not nn.Module)
                foreach (var (index, element) in member.Elements())
                    foreach (var (name, _) in children.Where(c => ReferenceEquals(c.module, element)))
                        yield return (name, $"{member.Path}.{index}");
        }
    }

    /// <summary>An auto-property is registered as <c>&lt;Name&gt;k__BackingField</c>.</summary>
    private static string Property(string name) => name.Replace(BackingField, "", StringComparison.Ordinal).Replace("<", "", StringComparison.Ordinal);
}
