using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A claim with its meaning in one host.</summary>
internal sealed class HostClaim
{
    private readonly ResolvedTargets _targets;
    private readonly ResolvedTargets? _exclude;

    public HostClaim(Claim claim, HostPaths paths)
    {
        Claim = claim;
        _targets = claim.Targets.Resolve(paths.Candidates.ToList());
        _exclude = claim.Exclude?.Resolve(paths.Candidates.ToList());
    }

    public Claim Claim { get; }

    /// <summary>The targets, each with its meaning.</summary>
    public IReadOnlyList<ResolvedItem> Items => _targets.Items;

    /// <summary>Whether the claim is for a path. A claim for parameters covers all that lies below a module.</summary>
    public bool Matches(string path, bool isLinear)
    {
        if (Claim.Kind != SiteKind.Parameter)
            return MatchesExactly(path, isLinear);
        for (var end = path.Length; end > 0; end = path.LastIndexOf('.', end - 1))
            if (MatchesExactly(path[..end], isLinear && end == path.Length))
                return true;
        return false;
    }

    public bool MatchesAnyParameter(string path, nn.Module layer) => layer.named_parameters().Any(p => Matches($"{path}.{p.name}", false));

    private bool MatchesExactly(string path, bool isLinear)
    {
        var candidate = new TargetCandidate(path, isLinear);
        return _targets.Matches(candidate) && _exclude?.Matches(candidate) != true && (Claim.Layers is null || Claim.Layers.Contains(LayerIndex(path)));
    }

    /// <summary>The index of the block that a path lies in: its last number.</summary>
    private static int LayerIndex(string path)
    {
        foreach (var segment in path.Split('.').Reverse())
            if (int.TryParse(segment, out var index))
                return index;
        return -1;
    }
}

/// <summary>A method with its claims on one host.</summary>
internal sealed class MethodClaims
{
    private readonly HostPaths _paths;

    public MethodClaims(AdaptAttribute method, HostPaths paths)
    {
        Method = method;
        _paths = paths;
        Claims = method.Claims.Select(claim => new HostClaim(claim, paths)).ToList();
    }

    public AdaptAttribute Method { get; }

    public IReadOnlyList<HostClaim> Claims { get; }

    /// <summary>Throws where the values want what the model has no compiled site for, or what it does not have at all.</summary>
    /// <param name="compiled">The paths of all compiled sites.</param>
    public void CheckAllFound(IReadOnlySet<string> compiled)
    {
        foreach (var claim in Claims.Where(c => c.Claim.Kind is SiteKind.Layer))
        {
            var wanted = _paths.Candidates.Where(c => claim.Matches(c.Path, c.IsLinear)).ToList();
            if (wanted.Count == 0)
                throw new AdapterException(
                    $"{Method}: the targets '{claim.Claim.Targets}' match no layer of this model. It has, among others: {string.Join(", ", SomeLinears())}.");
            var missing = wanted.Where(c => !compiled.Contains(c.Path)).Select(c => c.Path).ToList();
            if (missing.Count > 0)
                throw new AdapterException(
                    $"{Method}: no site is compiled for {string.Join(", ", missing.Take(5))}{(missing.Count > 5 ? $" and {missing.Count - 5} more" : "")}. " +
                    $"Sites are compiled for the targets that the model's class declares; write this on it: {Method}");
        }
    }

    /// <summary>The targets in the words that HF PEFT matches with: names where these mean just what was adapted, else whole paths.</summary>
    public IReadOnlyDictionary<Claim, IReadOnlyList<string>> FileTargets() => Method.NamedClaims.Distinct().ToDictionary(claim => claim, claim => FileTargets(new HostClaim(claim, _paths)));

    private IReadOnlyList<string> FileTargets(HostClaim claim)
    {
        var wanted = _paths.Candidates.Where(c => claim.Matches(c.Path, c.IsLinear)).Select(c => c.Path).ToList();
        var written = claim.Items.Where(i => i.Role is null && i.Item.Pattern is not null).Select(i => i.Item.Text).ToList();
        if (written.Count == claim.Items.Count && !written.Any(t => t.Contains('*')))
            return written;
        var names = wanted.Select(path => path[(path.LastIndexOf('.') + 1)..]).Distinct().OrderBy(n => n, StringComparer.Ordinal).ToList();
        var byName = _paths.Candidates.Count(c => names.Any(n => c.Path == n || c.Path.EndsWith("." + n, StringComparison.Ordinal)));
        return byName == wanted.Count ? names : wanted;
    }

    private IEnumerable<string> SomeLinears() =>
        _paths.Candidates.Where(c => c.IsLinear).Select(c => c.Path[(c.Path.LastIndexOf('.') + 1)..]).Distinct().Take(12);
}
