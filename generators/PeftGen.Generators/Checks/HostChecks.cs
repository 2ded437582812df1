using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Layers that cannot carry what a declaration wants of them, though a target may mean them: creating an adapter would fail.</summary>
internal static class HostChecks
{
    public static void Run(CheckContext context)
    {
        var matches = context.Matches.Where(m => m.IsSite && m.Extent == Extent.All && m.Place.IsCertain).ToLookup(m => m.Claim.Method);
        foreach (var pair in context.Roots)
            foreach (var method in pair.Value)
            {
                CheckParameters(context, matches[method]);
                foreach (var property in DeclaredMethod.Properties(method.Type).Where(p => method.IsSet(p.Name)))
                    foreach (var needs in DeclaredMethod.ArgumentsOf(property, "NeedsHostsAttribute"))
                        CheckValue(context, context.Walkers[pair.Key], method, property, needs, matches[method]);
                CheckRoles(context, context.Walkers[pair.Key], matches[method]);
            }
    }

    /// <summary>Copies of parameters run in some layers alone. Of others it has to be sure that they have the parameter.</summary>
    private static void CheckParameters(CheckContext context, IEnumerable<TargetMatch> matches)
    {
        var wrong = matches.Where(m => m.Claim is { Kind: SiteKind.Parameter, Hosts.Count: > 0 } && m.Place is { Kind: PlaceKind.LayerParameter, Type: not null } && !IsOneOf(context, m.Place, m.Claim.Hosts)
            && context.Creations.Has(m.Place.Child!, m.Place.Path.Substring(m.Place.Path.LastIndexOf('.') + 1)));
        foreach (var item in wrong.GroupBy(m => (m.Claim, m.Item)).Select(g => g.First()))
            Report(context, item, item.Claim.Method.Name, item.Claim.Hosts);
    }

    /// <summary>A value with which only some of the layers can carry the method.</summary>
    private static void CheckValue(CheckContext context, PlaceWalker walker, DeclaredMethod method, IPropertySymbol property, IReadOnlyList<TypedConstant> needs, IEnumerable<TargetMatch> matches)
    {
        if (needs is not [{ Value: string targets }, { Kind: TypedConstantKind.Array, IsNull: false } array])
            return;
        var hosts = array.Values.Select(v => v.Value).OfType<INamedTypeSymbol>().ToList();
        var layers = matches.Where(m => m.Claim.Property == targets && m.Claim.Kind == SiteKind.Layer).ToList();
        // A list within the other means some of its layers.
        if (DeclaredMethod.Has(property, "WithinAttribute") && property.Type.SpecialType == SpecialType.System_String && method.ValueOf(property.Name)?.Value is string text)
            layers = TargetList.TryParse(text, out var list, out _) && list.Resolve(walker.Shape) is var within
                ? [.. layers.Where(m => within.Items.Any(item => Extents.Of(SiteKind.Layer, item, m.Place) == Extent.All))] : [];
        if (layers.FirstOrDefault(m => m.Place.Type is not null && !IsOneOf(context, m.Place, hosts)) is { } wrong)
            Report(context, wrong, $"{method.Name} with {method.WrittenName(property.Name)}", hosts);
    }

    /// <summary>Sites at and around which no layer shows the size that is read there.</summary>
    private static void CheckRoles(CheckContext context, PlaceWalker walker, IEnumerable<TargetMatch> matches)
    {
        foreach (var match in matches.Where(m => m.Claim.Needs is not null && walker.IsComplete && !(m.Claim.NeedsUnless is { } given && m.Claim.Method.IsSet(given))).GroupBy(m => (m.Claim, m.Place.Owner)).Select(g => g.First()))
        {
            if (RoleTable.Find(match.Claim.Needs!) is not { } role)
                continue;
            var path = match.Place.Path;
            var parent = ModelShape.ParentOf(path);
            if (!walker.Places.Any(p => MayShowSize(context, p) && (IsBelow(p.Path, path) || ModelShape.ParentOf(p.Path) == parent || (path.Length > 0 && ModelShape.ParentOf(p.Path) == ModelShape.ParentOf(parent)))))
                context.Diagnostics.Add("PG047", match.Claim.Method.Syntax.SyntaxTree, match.Claim.SpanOf(match.Item.Item), match.Claim.Method.Name, match.Place.Owner.Symbol.Name, role.Name,
                    match.Claim.NeedsUnless is { } property ? $"say it: {property} = 768" : $"give the layer a name such as {role.Example}");
        }
    }

    private static bool IsBelow(string path, string holder) => holder.Length == 0 || path.StartsWith(holder + ".", StringComparison.Ordinal);

    /// <summary>Whether a place may be a linear layer, or have the matrix of one, or hold what is: what is known only at run time may be anything.</summary>
    private static bool MayShowSize(CheckContext context, Place place) => place.Kind == PlaceKind.Parameter || (place.Kind == PlaceKind.Layer && (place.IsLinear
        || (place.Type is { } type && !new[] { context.Graph.Known.Module, context.Graph.Known.Adapt }.Any(known => SymbolEqualityComparer.Default.Equals(known.ContainingAssembly, type.ContainingAssembly)))));

    private static bool IsOneOf(CheckContext context, Place place, IReadOnlyList<INamedTypeSymbol> hosts) =>
        hosts.Any(host => KnownTypes.DerivesFrom(place.IsLinear || context.Graph.Known.IsLinear(place.Type!) ? context.Graph.Known.Linear : place.Type!, host));

    private static void Report(CheckContext context, TargetMatch match, string what, IReadOnlyList<INamedTypeSymbol> hosts) => context.Diagnostics.Add(
        "PG003", match.Claim.Method.Syntax.SyntaxTree, match.Claim.SpanOf(match.Item.Item), match.Item.Item.Text, match.Place.Owner.Symbol.Name, match.Place.Child!.Name,
        match.Place.Type!.Name, what, "a layer of type " + string.Join(" or ", hosts.Select(h => h.Name)));
}
