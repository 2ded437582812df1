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
        return Meets(kind, candidate => item.MatchesWhatever(candidate), place) ? Extent.All : Extent.Some;
    }

    /// <summary>Whether a target means a place. Of parameters it may mean the module that they are in, at any height.</summary>
    public static bool Meets(SiteKind kind, ResolvedItem item, Place place) => Meets(kind, item.Matches, place);

    private static bool Meets(SiteKind kind, Func<TargetCandidate, bool> matches, Place place)
    {
        if (kind != SiteKind.Parameter)
            return matches(place.Candidate);
        for (var end = place.Path.Length; end > 0; end = place.Path.LastIndexOf('.', end - 1))
            if (matches(new TargetCandidate(place.Path.Substring(0, end), place.IsLinear && end == place.Path.Length) { Parts = end == place.Path.Length ? place.Parts : null }))
                return true;
        return false;
    }
}
