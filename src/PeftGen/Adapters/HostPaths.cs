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
    private readonly HashSet<string> _linear;

    private HostPaths(nn.Module host)
    {
        foreach (var (path, module) in host.named_modules().Prepend(("", host)))
            if (module is IAdaptable adaptable)
                foreach (var (registered, inCheckpoint) in Renamed(module, adaptable))
                    _names[path.Length == 0 ? registered : $"{path}.{registered}"] = inCheckpoint;
        var modules = host.named_modules().Select(m => new TargetCandidate(InCheckpoint(m.name), HostLinear.Is(m.module)));
        var parameters = host.named_parameters().Select(p => new TargetCandidate(InCheckpoint(p.name), false));
        Candidates = modules.Concat(parameters).ToList();
        _linear = Candidates.Where(c => c.IsLinear).Select(c => c.Path).ToHashSet();
    }

    /// <summary>What targets can name.</summary>
    public IReadOnlyList<TargetCandidate> Candidates { get; }

    /// <summary>Whether a path is that of a linear layer.</summary>
    public bool IsLinear(string path) => _linear.Contains(path);

    public static HostPaths Of(nn.Module host) => new(host);

    /// <summary>The path in checkpoints of what is registered at a path: renamed fields, and properties under their own names.</summary>
    public string InCheckpoint(string registered)
    {
        var dot = registered.LastIndexOf('.');
        var last = registered[(dot + 1)..];
        var renamed = _names.GetValueOrDefault(Property(registered)) ?? Property(last);
        return dot < 0 ? renamed : $"{InCheckpoint(registered[..dot])}.{renamed}";
    }

    /// <summary>What is registered under other names than the compiler knows: renamed fields, and children that were registered by hand.</summary>
    private static IEnumerable<(string registered, string path)> Renamed(nn.Module module, IAdaptable adaptable)
    {
        var children = module.named_children().ToList();
        foreach (var member in adaptable.NewAdapterNode().Members(module))
        {
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
