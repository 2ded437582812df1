using System.Globalization;

namespace PeftGen.Generators.Parsing;

/// <summary>How much of a place a declaration means. One place stands for all elements of a list.</summary>
internal enum Extent
{
    /// <summary>Nothing: it is left out.</summary>
    None,

    /// <summary>Some of the elements, or not known.</summary>
    Some,

    /// <summary>All of it.</summary>
    All,
}

/// <summary>Tells how much of a place is meant.</summary>
internal static class Extents
{
    private const string Regex = "regex:";

    /// <summary>How much of a place that a target met is meant.</summary>
    /// <param name="claim">The wish.</param>
    /// <param name="item">The target.</param>
    /// <param name="leftOut">What is left out.</param>
    /// <param name="place">The place.</param>
    public static Extent Of(DeclaredClaim claim, ResolvedItem item, ResolvedTargets? leftOut, Place place)
    {
        var left = leftOut is null ? Extent.None : leftOut.Items.Select(i => i.Item.Parts is null ? Of(claim.Kind, i, place) : Extent.Some).Max();
        return left == Extent.All ? Extent.None : left == Extent.Some || claim.IsOfSomeBlocks ? Extent.Some : Of(claim.Kind, item, place);
    }

    /// <summary>How much of a place a target means by itself.</summary>
    public static Extent Of(SiteKind kind, ResolvedItem item, Place place)
    {
        if (!Meets(kind, item, place))
            return Extent.None;
        var indices = item.Item.Pattern?.Text.StartsWith(Regex, StringComparison.Ordinal) == true ? Numbered(place.Path) : [place.Path.Replace('*', '#')];
        return indices.All(path => Meets(kind, item, place with { Path = path })) ? Extent.All : Extent.Some;
    }

    /// <summary>Whether a target means a place. Of parameters it may mean the module that they are in, at any height.</summary>
    public static bool Meets(SiteKind kind, ResolvedItem item, Place place)
    {
        if (kind != SiteKind.Parameter)
            return item.Matches(place.Candidate);
        for (var end = place.Path.Length; end > 0; end = place.Path.LastIndexOf('.', end - 1))
            if (item.Matches(new TargetCandidate(place.Path.Substring(0, end), place.IsLinear && end == place.Path.Length) { Parts = end == place.Path.Length ? place.Parts : null }))
                return true;
        return false;
    }

    /// <summary>A path with numbers in place of its stars.</summary>
    public static IEnumerable<string> Numbered(string path)
    {
        var star = path.IndexOf('*');
        return star < 0 ? [path] : Enumerable.Range(0, path.IndexOf('*', star + 1) < 0 ? 100 : 12)
            .SelectMany(i => Numbered(path.Substring(0, star) + i.ToString(CultureInfo.InvariantCulture) + path.Substring(star + 1)));
    }
}
