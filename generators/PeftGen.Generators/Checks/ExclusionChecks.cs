using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Declarations of one group that want the same place, where it is for one.</summary>
internal static class ExclusionChecks
{
    private const string Apart = "put one into a group of its own with Group = \"…\"";

    public static void Run(CheckContext context)
    {
        var matches = context.Matches.Where(m => m.IsSite && m.Extent != Extent.None).ToLookup(m => m.Claim.Method);
        foreach (var methods in context.Roots.Values)
            foreach (var group in methods.GroupBy(m => m.Group))
            {
                var ofGroup = group.SelectMany(m => matches[m]).ToList();
                CheckSites(context, ofGroup);
                CheckParameters(context, ofGroup);
                CheckSingle(context, ofGroup);
                CheckInputs(context, group.SelectMany(m => m.Claims.Where(c => c.Kind == SiteKind.Input)).ToList());
            }
    }

    /// <summary>Layers, residuals, attentions and outputs: several methods may meet, unless they are of one kind, or say that they may not.</summary>
    private static void CheckSites(CheckContext context, List<TargetMatch> matches)
    {
        var found = new Findings();
        // What changes an output may stand at a layer, too.
        foreach (var site in matches.Where(m => m.Claim.Kind != SiteKind.Parameter).GroupBy(m => (m.Claim.Kind == SiteKind.Output ? SiteKind.Layer : m.Claim.Kind, m.Place.Path)))
            foreach (var meeting in Meetings(site))
                if (meeting.Select(m => (match: m.later, why: WhyNot(m.earlier.Claim, m.later.Claim), other: m.earlier)).FirstOrDefault(m => m.why is not null) is { why: { } why } taken)
                    found.Add(taken.other.Claim.Method, taken.match.Claim.Method, NameOf(taken.match), why);
        found.Report(context);
    }

    private static void CheckInputs(CheckContext context, List<DeclaredClaim> claims)
    {
        for (var i = 1; i < claims.Count; i++)
            if (claims.Take(i).Where(c => c.Method != claims[i].Method).Select(c => (other: c.Method, why: WhyNot(c, claims[i]))).FirstOrDefault(c => c.why is not null) is { why: { } why } taken)
                Report(context, taken.other, claims[i].Method, "the model's inputs", why);
    }

    /// <summary>What keeps the claims of two methods from meeting; null: nothing.</summary>
    private static string? WhyNot(DeclaredClaim earlier, DeclaredClaim later)
    {
        // Of two of one kind, files could not tell the places' parts. A residual's sum is one slot's.
        var isSame = SymbolEqualityComparer.Default.Equals(earlier.Method.Type, later.Method.Type);
        var isNamedByPath = earlier.Kind == later.Kind && earlier.Kind is SiteKind.Layer or SiteKind.Residual or SiteKind.Output;
        return isSame && isNamedByPath ? $"give them different targets, or {Apart}"
            : !earlier.Method.Composes || !later.Method.Composes || earlier.Kind == SiteKind.Residual ? $"they do not compose; {Apart}"
            : earlier.Exclusive is { } thing && thing == later.Exclusive ? $"a group has one {thing} at a place; {Apart}"
            : null;
    }

    /// <summary>Parameters: each method trains a copy, and of a layer, or of a parameter that code reads, one copy can run.</summary>
    private static void CheckParameters(CheckContext context, List<TargetMatch> matches)
    {
        var sure = matches.Where(m => m.Claim.Kind == SiteKind.Parameter && m.Place.IsCertain
            && (m.Place.Kind == PlaceKind.Parameter || (m.Place.Kind == PlaceKind.LayerParameter && context.Creations.Has(m.Place.Child!, LastOf(m.Place.Path)))));
        var found = new Findings();
        foreach (var holder in sure.GroupBy(m => m.Place.Kind == PlaceKind.Parameter ? m.Place.Path : m.Place.Path.Substring(0, Math.Max(0, m.Place.Path.LastIndexOf('.')))))
            foreach (var meeting in Meetings(holder))
            {
                var (earlier, later) = meeting[0];
                // A parameter that both have says more than its layer.
                var both = meeting.Where(m => m.earlier.Place.Path == m.later.Place.Path && m.later.Place.Kind == PlaceKind.LayerParameter).Select(m => m.later).FirstOrDefault();
                found.Add(earlier.Claim.Method, later.Claim.Method, both is null ? NameOf(later) : $"{NameOf(both)}.{LastOf(both.Place.Path)}", $"each trains a copy of its own, and only one can run; give one other targets, or {Apart}");
            }

        found.Report(context);
    }

    /// <summary>What a group has one place for.</summary>
    private static void CheckSingle(CheckContext context, List<TargetMatch> matches)
    {
        foreach (var single in matches.Where(m => m.Claim.IsSingle && m.Place.IsCertain && m.Extent == Extent.All).GroupBy(m => m.Claim.Exclusive))
        {
            if (single.GroupBy(m => m.Place.Path).Select(g => g.First()).ToList() is not [var first, var second, ..])
                continue;
            var why = $"a group has one {single.Key}, at one place; name one of them, or {Apart}";
            if (first.Claim.Method == second.Claim.Method)
                Report(context, second.Claim.Method, second.Claim.SpanOf(second.Item.Item), $"{second.Claim.Method.Name} adapts {NameOf(first)} and {NameOf(second)}", why);
            else
                Report(context, first.Claim.Method, second.Claim.Method, $"one of {NameOf(first)} and {NameOf(second)} each", why);
        }
    }

    /// <summary>For each two methods, the earlier first, what they want of one place where they are sure to meet: one of them means all of it, or both the same.</summary>
    private static IEnumerable<List<(TargetMatch earlier, TargetMatch later)>> Meetings(IEnumerable<TargetMatch> matches)
    {
        var ofMethods = matches.GroupBy(m => m.Claim.Method).ToList();
        for (var later = 1; later < ofMethods.Count; later++)
            for (var earlier = 0; earlier < later; earlier++)
                if (ofMethods[earlier].SelectMany(e => ofMethods[later].Where(l => Overlap(e, l)).Select(l => (e, l))).ToList() is { Count: > 0 } meeting)
                    yield return meeting;
    }

    private static bool Overlap(TargetMatch earlier, TargetMatch later) => earlier.Extent == Extent.All || later.Extent == Extent.All
        || (earlier.Item.Item.Text == later.Item.Item.Text && new[] { earlier.Claim, later.Claim }.All(c => !c.IsOfSomeBlocks && c.LeftOut is null));

    private static string NameOf(TargetMatch match) => match.Place switch
    {
        { Child: { } child } place => $"{place.Owner.Symbol.Name}.{child.Name}",
        var place => $"{place.Owner.Symbol.Name}{(LastOf(place.Path) is not "*" and var name ? "." + name : "")} (the {match.Claim.Kind.ToString().ToLowerInvariant()})",
    };

    private static string LastOf(string path) => path.Substring(path.LastIndexOf('.') + 1);

    private static void Report(CheckContext context, DeclaredMethod earlier, DeclaredMethod later, string where, string why) =>
        Report(context, later, later.Syntax.Span, $"{earlier.Name} and {later.Name} both adapt {where}", why);

    private static void Report(CheckContext context, DeclaredMethod method, TextSpan span, string what, string why) => context.Diagnostics.Add(
        "PG008", method.Syntax.SyntaxTree, span, what, method.Group is null ? "one group" : $"the group '{method.Group}'", why);

    /// <summary>Where methods meet that must not, by pairs of them: each pair is one mistake.</summary>
    private sealed class Findings
    {
        private readonly List<(DeclaredMethod earlier, DeclaredMethod later, string where, string why)> _all = [];

        public void Add(DeclaredMethod earlier, DeclaredMethod later, string where, string why) => _all.Add((earlier, later, where, why));

        public void Report(CheckContext context)
        {
            foreach (var pair in _all.GroupBy(f => (f.earlier, f.later)))
            {
                var places = pair.Select(f => f.where).Distinct().ToList();
                ExclusionChecks.Report(context, pair.Key.earlier, pair.Key.later, places[0] + (places.Count > 1 ? $" and {places.Count - 1} more" : ""), pair.First().why);
            }
        }
    }
}
