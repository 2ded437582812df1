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

    /// <param name="claim">The claim.</param>
    /// <param name="paths">The host's modules and parameters.</param>
    /// <param name="whole">Modules into which a claim on parameters does not reach, since they train whole; null: none.</param>
    public HostClaim(Claim claim, HostPaths paths, TargetList? whole = null)
    {
        Claim = claim;
        _paths = paths;
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
            return MatchesExactly(At(path, isLinear));
        if (Claim.Parameter is { } name && path[(path.LastIndexOf('.') + 1)..] != name)
            return false;
        var holders = Holders(path).ToList();
        return holders.Any(MatchesExactly) && (_exclude is null || !holders.Any(_exclude.Matches)) && (_whole is null || !holders.Any(_whole.Matches));
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

    /// <summary>How many modules and parameters the targets name by themselves.</summary>
    public int CountNamed() => _paths.Candidates.Count(_targets.Matches);

    private bool MatchesExactly(TargetCandidate candidate) =>
        _targets.Matches(candidate) && !IsExcluded(candidate) && _within?.Matches(candidate) != false
        && (Claim.Layers is null || Claim.Layers.Contains(BlockNumbers.IndexIn(candidate.Path)))
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

    public MethodClaims(AdaptAttribute method, HostPaths paths)
    {
        Method = method;
        _paths = paths;
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
        Method.NamedClaims.Distinct().Select(Own).Concat(Whole is null ? [] : [Whole]).ToDictionary(claim => claim.Claim, claim => FileTargets(claim));

    private HostClaim Own(Claim claim) => new(claim, _paths, claim.Kind == SiteKind.Parameter ? Whole?.Claim.Targets : null);

    /// <summary>Where the method acts, in AdapterHub's words.</summary>
    /// <param name="compiled">The paths of the host's sites of a kind.</param>
    public HubSites HubSites(Func<SiteKind, IEnumerable<string>> compiled) => new(Method, _paths, compiled);

    private IReadOnlyList<string> FileTargets(HostClaim claim)
    {
        var matched = _paths.Candidates.Where(c => claim.Matches(c.Path, c.IsLinear)).Select(c => c.Path).ToHashSet();
        // A module stands for the parameters below it.
        var wanted = matched.Where(path => !matched.Contains(path[..Math.Max(0, path.LastIndexOf('.'))])).ToList();
        var written = claim.Items.Where(i => i.Role is null && i.Item.Pattern is not null).Select(i => i.Item.Text).ToList();
        var asWritten = claim.Claim is { Within: null, LeaveOut: null } || claim.CountNamed() == wanted.Count;
        if (asWritten && written.Count == claim.Items.Count && !written.Any(t => t.Contains('*')))
            return written;
        var parts = wanted.ToDictionary(path => path, path => matched.Contains(path) && claim.PartsOf(path) is { } some ? $"[{string.Join(",", some)}]" : "");
        var names = wanted.Select(path => (name: path[(path.LastIndexOf('.') + 1)..], parts: parts[path])).Distinct().OrderBy(n => n.name, StringComparer.Ordinal).ToList();
        var byName = _paths.Candidates.Count(c => names.Any(n => c.Path == n.name || c.Path.EndsWith("." + n.name, StringComparison.Ordinal)));
        return byName == wanted.Count && names.DistinctBy(n => n.name).Count() == names.Count ? [.. names.Select(n => n.name + n.parts)] : [.. wanted.Select(path => path + parts[path])];
    }
}
