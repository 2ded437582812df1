using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Targets that lie in a module which trains whole: no adapter is put there.</summary>
internal static class WholeChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var methods in context.Matches.GroupBy(m => m.Claim.Method))
        {
            var whole = methods.Key.Claims.Where(c => DeclaredMethod.Properties(methods.Key.Type).Any(p => p.Name == c.Property && DeclaredMethod.Has(p, "TrainsWholeAttribute"))).ToList();
            var items = whole.SelectMany(claim => methods.Where(m => m.Claim == claim).Select(m => m.Item)).Distinct().ToList();
            if (items.Count > 0)
                // What a group has one of at a place is looked up there, whatever becomes of the layer.
                foreach (var claim in methods.Where(m => m.IsSite && m.Claim is { Kind: SiteKind.Layer, Exclusive: null, MergesForAll: false }).GroupBy(m => m.Claim))
                    Check(context, claim.Key, [.. claim], items);
        }
    }

    private static void Check(CheckContext context, DeclaredClaim claim, List<TargetMatch> matches, List<ResolvedItem> whole)
    {
        var inside = matches.Select(match => (match, item: whole.FirstOrDefault(item => Extents.Of(SiteKind.Parameter, item, match.Place) == Extent.All))).Where(m => m.item is not null).ToList();
        if (inside.Count == 0)
            return;
        if (!claim.Optional && inside.Count == matches.Count)
        {
            context.Diagnostics.Add("PG081", claim.Method.Syntax.SyntaxTree, claim.Method.PlaceOf(claim.Property).span, claim.Method.Name, inside[0].item!.Item.Text);
            return;
        }

        foreach (var target in inside.GroupBy(m => m.match.Item))
            context.Diagnostics.Add("PG080", claim.Method.Syntax.SyntaxTree, claim.SpanOf(target.Key.Item), target.Key.Item.Text,
                string.Join(", ", target.Select(m => $"{m.match.Place.Owner.Symbol.Name}.{m.match.Place.Child!.Name}").Distinct().OrderBy(n => n, StringComparer.Ordinal)), target.First().item!.Item.Text);
    }
}
