using PeftGen.Checkpoints;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>Where a method acts in its host, in the words of AdapterHub's configurations: these name kinds of place and leave out blocks, but never name a path.</summary>
public sealed class HubSites
{
    private readonly AdaptAttribute _method;
    private readonly HostPaths _paths;
    private readonly Func<SiteKind, IEnumerable<string>> _compiled;

    /// <param name="method">The method.</param>
    /// <param name="paths">The host's paths.</param>
    /// <param name="compiled">The paths of the host's sites of a kind, whether a method has them or not.</param>
    internal HubSites(AdaptAttribute method, HostPaths paths, Func<SiteKind, IEnumerable<string>> compiled) => (_method, _paths, _compiled) = (method, paths, compiled);

    /// <summary>Says by kinds of place where a claim is.</summary>
    /// <param name="claim">The claim.</param>
    /// <param name="kinds">AdapterHub's kinds of place, as targets.</param>
    /// <returns>The kinds that make up just the claim's sites, with the blocks to leave out.</returns>
    /// <exception cref="AdapterException">No choice of kinds and blocks means these sites.</exception>
    public HubPlaces Of(Claim claim, params IReadOnlyList<string> kinds)
    {
        var wanted = SitesOf(claim);
        var there = kinds.Select(kind => (kind, sites: SitesOf(new Claim(claim.Kind, TargetList.Parse(kind)) { TakesParts = claim.TakesParts }))).Where(place => place.sites.Count > 0).ToList();
        var meant = there.Where(place => place.sites.Overlaps(wanted)).ToList();
        var reached = meant.SelectMany(place => place.sites).ToHashSet();
        var blocks = wanted.Select(BlockOf).ToHashSet();
        foreach (var site in reached.Where(site => blocks.Contains(BlockOf(site))).Except(wanted))
            throw new AdapterException($"{_method}: AdapterHub's files cannot say that {site} is left out, for others of its kind in the same block are not. {HubFiles.Otherwise}");
        foreach (var site in wanted.Except(reached))
            throw new AdapterException($"{_method}: AdapterHub's files cannot say that {site} is adapted; they have places for {string.Join(", ", kinds)}. {HubFiles.Otherwise}");
        var left = reached.Select(BlockOf).Distinct().Where(block => !blocks.Contains(block)).Order().ToList();
        return new HubPlaces(
            meant.Select(place => place.kind).ToList(), there.Select(place => place.kind).Except(meant.Select(place => place.kind)).ToList(), blocks.Order().ToList(),
            // The user's own list, which may name blocks that have no such place.
            claim.LeaveOut is { } own && left.All(own.Contains) ? own : left);
    }

    /// <summary>Whether a claim has any site.</summary>
    /// <param name="claim">The claim.</param>
    public bool Any(Claim claim) => SitesOf(claim).Count > 0;

    /// <summary>The sites of a claim; of a fused layer each part that is meant.</summary>
    private HashSet<string> SitesOf(Claim claim)
    {
        var host = new HostClaim(claim, _paths);
        if (claim.Kind != SiteKind.Layer)
            return _compiled(claim.Kind).Where(path => host.Matches(path, _paths.IsLinear(path))).ToHashSet();
        return _paths.Candidates.Where(candidate => host.Matches(candidate.Path, candidate.IsLinear))
            .SelectMany(candidate => (host.PartsOf(candidate.Path) ?? candidate.Parts) is { } parts ? parts.Select(part => $"{candidate.Path}[{part}]") : [candidate.Path]).ToHashSet();
    }

    private int BlockOf(string site) => _paths.Blocks.NumberOf(site.Split('[')[0]);
}

/// <summary>Places in the words of AdapterHub's configurations.</summary>
/// <param name="Kinds">The kinds that are meant.</param>
/// <param name="Others">The kinds that the host has, too, and that are not meant.</param>
/// <param name="Blocks">The blocks with such places, counted as <see cref="Claim.LeaveOut"/>.</param>
/// <param name="LeaveOut">The blocks to leave out.</param>
public sealed record HubPlaces(IReadOnlyList<string> Kinds, IReadOnlyList<string> Others, IReadOnlyList<int> Blocks, IReadOnlyList<int> LeaveOut);
