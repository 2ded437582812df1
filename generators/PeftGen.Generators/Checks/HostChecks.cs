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
                        CheckValue(context, method, property, needs, matches[method]);
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
    private static void CheckValue(CheckContext context, DeclaredMethod method, IPropertySymbol property, IReadOnlyList<TypedConstant> needs, IEnumerable<TargetMatch> matches)
    {
        if (needs is not [{ Value: string targets }, { Kind: TypedConstantKind.Array, IsNull: false } array])
            return;
        var hosts = array.Values.Select(v => v.Value).OfType<INamedTypeSymbol>().ToList();
        var layers = matches.Where(m => m.Claim.Property == targets && m.Claim.Kind == SiteKind.Layer).ToList();
        // A list within the other means some of its layers.
        if (DeclaredMethod.Has(property, "WithinAttribute") && property.Type.SpecialType == SpecialType.System_String && method.ValueOf(property.Name)?.Value is string text)
            layers = TargetList.TryParse(text, out var list, out _) && list.Resolve([.. layers.Select(m => m.Place.Candidate)]) is var within
                ? [.. layers.Where(m => within.Items.Any(item => Extents.Of(SiteKind.Layer, item, m.Place) == Extent.All))] : [];
        if (layers.FirstOrDefault(m => m.Place.Type is not null && !IsOneOf(context, m.Place, hosts)) is { } wrong)
            Report(context, wrong, $"{method.Name} with {method.WrittenName(property.Name)}", hosts);
    }

    /// <summary>Sites below which no layer bears a name that tells what it is for.</summary>
    private static void CheckRoles(CheckContext context, PlaceWalker walker, IEnumerable<TargetMatch> matches)
    {
        foreach (var match in matches.Where(m => m.Claim.Needs is not null && walker.IsComplete).GroupBy(m => (m.Claim, m.Place.Owner)).Select(g => g.First()))
        {
            if (RoleTable.Find(match.Claim.Needs!) is not { } role)
                continue;
            var path = match.Place.Path;
            var below = walker.Places.Where(p => p.Kind == PlaceKind.Module && (p.Path == path || path.Length == 0 || p.Path.StartsWith(path + ".", StringComparison.Ordinal)))
                .SelectMany(p => p.Owner.Children.Select(child => (p.Path, child))).ToList();
            if (!below.Any(c => MayBe(context, c.child, c.Path, role)))
                context.Diagnostics.Add("PG047", match.Claim.Method.Syntax.SyntaxTree, match.Claim.SpanOf(match.Item.Item), match.Claim.Method.Name, match.Place.Owner.Symbol.Name, role.Name, role.Example);
        }
    }

    /// <summary>Whether a child may have a role, by its field's name or that in checkpoints, or hold what has it: what is known only at run time may be anything.</summary>
    private static bool MayBe(CheckContext context, ModelChild child, string holder, Role role) =>
        child.Shape is ChildShape.Abstract or ChildShape.Sequential
        || (child.Shape == ChildShape.BuiltIn && !new[] { context.Graph.Known.Module, context.Graph.Known.Adapt }.Any(known => SymbolEqualityComparer.Default.Equals(known.ContainingAssembly, child.Type.ContainingAssembly)))
        || new[] { child.Name, child.Path }.Any(name => role.Matches($"{holder}.{name}") || (child.Fused ?? FusedTable.Find(name))?.Contains(role.Name) == true);

    private static bool IsOneOf(CheckContext context, Place place, IReadOnlyList<INamedTypeSymbol> hosts) =>
        hosts.Any(host => KnownTypes.DerivesFrom(place.IsLinear || context.Graph.Known.IsLinear(place.Type!) ? context.Graph.Known.Linear : place.Type!, host));

    private static void Report(CheckContext context, TargetMatch match, string what, IReadOnlyList<INamedTypeSymbol> hosts) => context.Diagnostics.Add(
        "PG003", match.Claim.Method.Syntax.SyntaxTree, match.Claim.SpanOf(match.Item.Item), match.Item.Item.Text, match.Place.Owner.Symbol.Name, match.Place.Child!.Name,
        match.Place.Type!.Name, what, "a layer of type " + string.Join(" or ", hosts.Select(h => h.Name)));
}
