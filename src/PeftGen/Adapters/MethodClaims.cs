using PeftGen.Checkpoints;
using PeftGen.Methods;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A claim with its meaning in one host.</summary>
internal sealed class HostClaim
{
    private readonly ResolvedTargets _targets;
    private readonly ResolvedTargets? _exclude;
    private readonly ResolvedTargets? _within;
    private readonly ResolvedTargets? _whole;
    private readonly HostPaths _paths;
    private readonly IReadOnlyList<Type> _hosts;

    /// <param name="claim">The claim.</param>
    /// <param name="paths">The host's modules and parameters.</param>
    /// <param name="whole">Modules into which a claim on layers or parameters does not reach, since they train whole; null: none.</param>
    /// <param name="hosts">The layers that can carry the method; empty: any.</param>
    public HostClaim(Claim claim, HostPaths paths, TargetList? whole = null, IReadOnlyList<Type>? hosts = null)
    {
        Claim = claim;
        _paths = paths;
        _hosts = hosts ?? [];
        _targets = claim.Targets.Resolve(paths.Shape);
        _exclude = claim.Exclude?.Resolve(paths.Shape);
        _within = claim.Within?.Resolve(paths.Shape);
        _whole = whole?.Resolve(paths.Shape);
    }

    public Claim Claim { get; }

    /// <summary>The targets, each with its meaning.</summary>
    public IReadOnlyList<ResolvedItem> Items => _targets.Items;

    /// <summary>Whether the claim is for a path. A claim for parameters covers all that lies below a module.</summary>
    public bool Matches(string path, bool isLinear)
    {
        if (Claim.Kind != SiteKind.Parameter)
            return At(path, isLinear) is var candidate && MatchesExactly(candidate) && !IsInWhole(path) && CanCarry(candidate);
        if (Claim.Parameter is { } name && path[(path.LastIndexOf('.') + 1)..] != name)
            return false;
        var holders = Holders(path).ToList();
        return holders.Any(MatchesExactly) && (_exclude is null || !holders.Any(_exclude.Matches)) && !IsInWhole(path);
    }

    /// <summary>The regular expression that the targets are; null: they are a list.</summary>
    public string? Expression => Claim.Targets.Text.StartsWith(TargetList.RegexPrefix, StringComparison.Ordinal) ? Claim.Targets.Text[TargetList.RegexPrefix.Length..] : null;

    /// <summary>Whether the claim could be for a path if the targets named it: it is not left out, and does not train whole.</summary>
    public bool Reaches(string path)
    {
        var candidate = At(path, _paths.IsLinear(path));
        var holders = Claim.Kind == SiteKind.Parameter ? Holders(path).ToList() : [candidate];
        return !holders.Any(IsExcluded) && holders.Any(h => _within?.Matches(h) != false) && !IsInWhole(path);
    }

    public bool MatchesAnyParameter(string path, nn.Module layer) => layer.named_parameters().Any(p => Matches($"{path}.{p.name}", false));

    /// <summary>The parts that the claim is for, of a path that it matches; null: all of it.</summary>
    public IReadOnlyList<string>? PartsOf(string path)
    {
        var candidate = At(path, _paths.IsLinear(path));
        var excluded = _exclude?.Matches(candidate) == true ? _exclude.PartsOf(candidate)! : [];
        return excluded.Count == 0 ? _targets.PartsOf(candidate) : [.. (_targets.PartsOf(candidate) ?? candidate.Parts!).Except(excluded)];
    }

    /// <summary>Whether nothing is left of a candidate, of which parts may be left out.</summary>
    private bool IsExcluded(TargetCandidate candidate) => _exclude?.Matches(candidate) == true
        && (_exclude.PartsOf(candidate) is not { } parts || (_targets.PartsOf(candidate) ?? candidate.Parts!).All(parts.Contains));

    /// <summary>Whether a path lies at or below a module that trains whole.</summary>
    private bool IsInWhole(string path) => _whole is not null && Holders(path).Any(_whole.Matches);

    /// <summary>A name means all that bear it; a role or a pattern means those of them that can carry the method.</summary>
    private bool CanCarry(TargetCandidate candidate)
    {
        if (Claim.Kind != SiteKind.Layer || candidate.IsLinear || _paths.ModuleAt(candidate.Path) is not { } module || Items.Any(item => item.Role is null && item.Item.Pattern?.Name is not null && item.Matches(candidate)))
            return true;
        return _hosts.Count == 0 ? module is not IAdaptable : _hosts.Any(host => host.IsInstanceOfType(module));
    }

    private bool MatchesExactly(TargetCandidate candidate) =>
        _targets.Matches(candidate) && !IsExcluded(candidate) && _within?.Matches(candidate) != false
        && (Claim.Layers is null || Claim.Layers.Contains(Claim.BlockLists.Count == 0 ? BlockNumbers.IndexIn(candidate.Path) : HuggingFaceNames.BlockOf(candidate.Path, Claim.BlockLists) ?? -1))
        && Claim.LeaveOut?.Contains(_paths.Blocks.NumberOf(candidate.Path)) != true
        && Claim.Blocks?.Contains(_paths.Blocks.NumberOf(candidate.Path)) != false
        && (Claim.LastBlocks is null || _paths.Blocks.NumberOf(candidate.Path) >= _paths.Blocks.Count - Claim.LastBlocks);

    /// <summary>A parameter's path and those of the modules that it lies in.</summary>
    private IEnumerable<TargetCandidate> Holders(string path)
    {
        for (var end = path.Length; end > 0; end = path.LastIndexOf('.', end - 1))
            yield return At(path[..end], _paths.IsLinear(path[..end]));
    }

    private TargetCandidate At(string path, bool isLinear) => new(path, isLinear) { Parts = _paths.PartsOf(path) };

    /// <summary>The blocks, by the indices that <see cref="Claim.Layers"/> takes, in which the targets name something.</summary>
    public IEnumerable<int> NamedLayers() => _paths.Candidates.Where(c => _targets.Matches(c) && !IsExcluded(c)).Select(c => BlockNumbers.IndexIn(c.Path)).Where(index => index >= 0).Distinct().Order();
}

/// <summary>A method with its claims on one host.</summary>
internal sealed class MethodClaims
{
    private readonly HostPaths _paths;
    private readonly IReadOnlyList<Type> _hosts;

    public MethodClaims(AdaptAttribute method, HostPaths paths)
    {
        Method = method;
        _paths = paths;
        var adapts = method.GetType().GetProperties().SelectMany(p => p.GetCustomAttributes(typeof(AdaptsAttribute), inherit: true).Cast<AdaptsAttribute>()).Where(a => a.Kind == SiteKind.Layer).ToList();
        _hosts = adapts.Any(a => a.Hosts.Length == 0) ? [] : [.. adapts.SelectMany(a => a.Hosts).Distinct()];
        try
        {
            Whole = WholeModules.ClaimOf(method) is { } whole ? new HostClaim(whole, paths) : null;
            Claims = [.. method.Claims.Select(Own), .. Whole is null ? [] : (HostClaim[])[Whole]];
        }
        catch (FormatException e)
        {
            throw new AdapterException($"{method}: {e.Message}.", e);
        }
    }

    public AdaptAttribute Method { get; }

    /// <summary>The claims of the method, and that on what trains whole beside it.</summary>
    public IReadOnlyList<HostClaim> Claims { get; }

    /// <summary>The claim on what trains whole; null: nothing does.</summary>
    public HostClaim? Whole { get; }

    /// <summary>The targets in the words that HF PEFT matches with: names where these mean just what was adapted, else whole paths.</summary>
    public IReadOnlyDictionary<Claim, IReadOnlyList<string>> FileTargets() =>
        Method.NamedClaims.Distinct().Select(Own).Concat(Whole is null ? [] : [Whole]).ToDictionary(
            claim => claim.Claim, claim => new FileNames(claim, _paths, Method.PeftType.StartsWith(AdapterConfig.GroupType, StringComparison.Ordinal)).Find());

    /// <summary>What trains whole is not adapted besides. Tokens of an embedding are looked up in heads, whatever becomes of these.</summary>
    private HostClaim Own(Claim claim) =>
        new(claim, _paths, claim is { Kind: SiteKind.Layer or SiteKind.Parameter, Tied: false, Exclusive: null } ? Whole?.Claim.Targets : null, claim.Kind == SiteKind.Layer ? _hosts : null);

    /// <summary>The layers that a claim would be for if they did not train whole.</summary>
    public IReadOnlyList<string> InWhole(HostClaim claim) =>
        Whole is null ? [] : [.. _paths.Modules.Where(c => new HostClaim(claim.Claim, _paths, null, _hosts).Matches(c.Path, c.IsLinear)).Select(c => c.Path)];

    /// <summary>The layers of a claim, each with the parts that are meant; null: all of it.</summary>
    public IReadOnlyList<(string path, IReadOnlyList<string>? parts)> LayersOf(Claim claim) =>
        Claims.FirstOrDefault(c => c.Claim == claim) is { } own ? [.. _paths.Modules.Where(c => own.Matches(c.Path, c.IsLinear)).Select(c => (c.Path, own.PartsOf(c.Path)))] : [];

    /// <summary>Where the method acts, in AdapterHub's words.</summary>
    /// <param name="compiled">The paths of the host's sites of a kind.</param>
    public HubSites HubSites(Func<SiteKind, IEnumerable<string>> compiled) => new(Method, _paths, compiled);

}
