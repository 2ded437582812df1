using Microsoft.CodeAnalysis;
using PeftGen.Generators.Diagnostics;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Parsing;

/// <summary>The sites that declarations ask for, over all roots.</summary>
internal sealed class CompiledSites
{
    private readonly Dictionary<(ModelClass, ModelChild), List<DeclaredClaim>> _children = [];

    /// <summary>Linear layers of the user's own on which a method wants to stand.</summary>
    public Dictionary<ModelClass, OwnLinear> Linears { get; } = [];

    /// <summary>Classes of which a method wants the sites that stand in bodies, by kind.</summary>
    public HashSet<(ModelClass type, SiteKind kind)> Bodies { get; } = [];

    public IEnumerable<(ModelClass owner, ModelChild child)> Children => _children.Keys;

    public void Add(ModelClass owner, ModelChild child, DeclaredClaim claim)
    {
        if (!_children.TryGetValue((owner, child), out var claims))
            _children[(owner, child)] = claims = [];
        claims.Add(claim);
    }

    public bool Contains(ModelClass owner, ModelChild child) => _children.ContainsKey((owner, child));

    /// <summary>The claims on a child, for messages.</summary>
    public IReadOnlyList<DeclaredClaim> ClaimsOn(ModelClass owner, ModelChild child) => _children[(owner, child)];
}

/// <summary>Matches the targets of one root with what lies below it.</summary>
internal sealed class SiteFinder(ModelClass root, PlaceWalker walker, KnownTypes known, CompiledSites sites, BodyScanner scanner, DiagnosticList diagnostics)
{
    private readonly List<TargetCandidate> _candidates = walker.Places.Select(p => p.Candidate).ToList();
    private readonly Dictionary<SiteKind, List<Place>> _inBodies = [];
    private readonly TargetSuggestions _suggestions = new(walker);

    /// <summary>What targets met, for the report.</summary>
    public List<TargetMatch> Matches { get; } = [];

    public void Match(DeclaredMethod method)
    {
        foreach (var claim in method.Claims)
        {
            if (claim.Kind == SiteKind.Input)
            {
                sites.Bodies.Add((root, SiteKind.Input));
                continue;
            }

            var places = claim.Kind is SiteKind.Layer or SiteKind.Parameter ? walker.Places : PlacesInBodies(claim.Kind);
            var leftOut = claim.LeftOut?.Resolve(walker.Shape);
            var items = claim.Targets.Resolve(walker.Shape).Items;
            var inVain = new List<(ResolvedItem item, List<Place> matched)>();
            foreach (var item in items)
            {
                var matched = places.Where(place => Extents.Meets(claim.Kind, item, place)).ToList();
                if (item.Role is not null)
                    ReportRole(claim, item, matched);
                var usable = matched.Where(place => IsUsable(claim, item, place)).ToList();
                Matches.AddRange(matched.Select(place => new TargetMatch(claim, item, place, usable.Contains(place), Extents.Of(claim, item, leftOut, place))));
                var unknown = item.Item.Parts is null ? [] : walker.Places.Where(p => p.Kind == PlaceKind.Layer && p.IsLinear && item.MatchesPath(p.Candidate) && !item.Matches(p.Candidate)).ToList();
                ReportUnknownParts(claim, item, unknown);
                if (usable.Count == 0 && unknown.Count == 0)
                    inVain.Add((item, matched));
                else if (claim is { Kind: SiteKind.Layer, TakesParts: false } && usable.FirstOrDefault(p => item.PartsOf(p.Candidate) is not null) is { } fused)
                    Report("PG039", claim.Method, claim.SpanOf(item.Item), item.Item.Text, $"a part of {NameOf(fused)}", $"{claim.Method.Name} acts on whole layers; name the layer itself");
                foreach (var place in usable)
                    Take(claim, place);
            }

            if (claim.Kind == SiteKind.Attention)
                ReportOtherAttentions(claim, items);

            // Of an optional list one item has to be there, if the user wrote it.
            if (!claim.Optional || (claim.IsWritten && inVain.Count == items.Count))
                foreach (var (item, matched) in inVain)
                    ReportNothing(claim, item, matched);
        }
    }

    private bool IsUsable(DeclaredClaim claim, ResolvedItem item, Place place)
    {
        switch (claim.Kind)
        {
            case SiteKind.Layer:
                if (place.Kind != PlaceKind.Layer)
                    return false;
                if (known.CanHaveSlot(place.Type) && (place.Type is null || claim.Hosts.Count == 0 || claim.Hosts.Any(host => KnownTypes.DerivesFrom(place.IsLinear ? known.Linear : place.Type, host))))
                    return true;
                // A name means all that bear it; a role, a pattern or all-linear means those of them that fit.
                if (item.Role is null && item.Item.Pattern?.IsName == true)
                    ReportCannotCarry(claim, item, place);
                return false;
            case SiteKind.Parameter:
                // The parameters of a class of the user's own are places of their own.
                if (place.Kind == PlaceKind.Parameter)
                    return true;
                if (place.Kind is not (PlaceKind.LayerParameter or PlaceKind.Layer) || place.OwnLinear is not null || known.ParametersOf(place.Type).Count == 0)
                    return false;
                if (known.CanHaveSlot(place.Type))
                    return true;
                if (item.Role is null && item.Item.Pattern?.IsName == true)
                    ReportCannotCarry(claim, item, place);
                return false;
            default:
                return true;
        }
    }

    private void Take(DeclaredClaim claim, Place place)
    {
        if (place.Child is null)
        {
            sites.Bodies.Add((place.Owner, claim.Kind));
            return;
        }

        sites.Add(place.Owner, place.Child, claim);
        if (place.OwnLinear is { } linear)
            sites.Linears[linear.Type] = linear;
        if (claim.Kind == SiteKind.Layer && (claim.Hosts.Count == 0 || claim.Hosts.Any(host => KnownTypes.DerivesFrom(known.Linear, host))))
            foreach (var own in place.OwnLinears)
                sites.Linears[own.Type] = own;
    }

    /// <summary>The places of sites that stand in code: of each the class whose code it is, and the path by which targets mean it.</summary>
    private List<Place> PlacesInBodies(SiteKind kind)
    {
        if (!_inBodies.TryGetValue(kind, out var places))
            _inBodies[kind] = places = walker.Places.SelectMany(place => place.Kind switch
            {
                PlaceKind.Module when kind == SiteKind.Residual => place.Owner.Lineage.SelectMany(t => scanner.ResidualsOf(t).Select(r => place with { Owner = t, Path = Join(place.Path, r.path) })),
                PlaceKind.Module when kind == SiteKind.Attention => place.Owner.Lineage.Where(t => scanner.Scan(t).Any(m => m.Uses.Any(use => use is AttentionSiteUse))).Select(t => place with { Owner = t }),
                PlaceKind.Module when kind == SiteKind.Output => scanner.OutputOf(place.Owner) is { } type ? [place with { Owner = type }] : [],
                PlaceKind.Layer when kind == SiteKind.Output && known.CanHaveSlot(place.Type) => [place],
                _ => Enumerable.Empty<Place>(),
            }).Distinct().ToList();
        return places;
    }

    /// <summary>Attention that the targets mean and that is not seen as such: it would be left out without a word.</summary>
    private void ReportOtherAttentions(DeclaredClaim claim, IReadOnlyList<ResolvedItem> items)
    {
        foreach (var place in walker.Places.Where(p => p.Kind == PlaceKind.Module))
            foreach (var type in place.Owner.Lineage.Where(_ => items.Any(item => Extents.Meets(claim.Kind, item, place))))
                foreach (var other in scanner.OtherAttentionsOf(type))
                    diagnostics.Add("PG065", other.Product.SyntaxTree, other.Product.Span, other.Product.ToString(), claim.Method.Name, other.Why);
    }

    private static string Join(string path, string name) => path.Length == 0 ? name : name.Length == 0 ? path : $"{path}.{name}";

    private void ReportNothing(DeclaredClaim claim, ResolvedItem item, List<Place> matched)
    {
        var span = claim.SpanOf(item.Item);
        if (matched.FirstOrDefault(p => p.Kind == PlaceKind.Elsewhere) is { } elsewhere)
            ReportElsewhere(claim, item, elsewhere, "lies");
        else if (claim.Kind == SiteKind.Layer && matched.FirstOrDefault(p => p.Kind != PlaceKind.LayerParameter) is { } other)
            ReportCannotCarry(claim, item, other);
        else if (claim.Kind == SiteKind.Parameter && matched.FirstOrDefault(p => p.Type is not null && !known.CanHaveSlot(p.Type)) is { } opaque)
            ReportCannotCarry(claim, item, opaque);
        else if (claim.Kind is SiteKind.Layer or SiteKind.Parameter)
            ReportNoSuchTarget(claim, span, item);
        else
            diagnostics.Add("PG001", claim.Method.Syntax.SyntaxTree, span, [new(DiagnosticProperties.Intrinsic, claim.Kind.ToString())], [item.Item.Text, root.Symbol.Name,
                claim.Kind == SiteKind.Residual ? $" that adds a residual the compiler can see; write Residual.Add(h, r), with the sub-layer's output first{new SiteHints(scanner, walker).SumsLookedAt()}"
                : claim.Kind == SiteKind.Attention ? " with an attention the compiler can see; write (k, v, mask) = Attention.Attach(x, q, k, v, mask)"
                : " of the kind that it needs"], new SiteHints(scanner, walker).For(claim.Kind));
    }

    /// <summary>Parts of which nothing tells where they lie.</summary>
    private void ReportUnknownParts(DeclaredClaim claim, ResolvedItem item, List<Place> places)
    {
        foreach (var place in places.GroupBy(p => p.Child).Select(g => g.First()))
        {
            var guess = new[] { new[] { "q", "k", "v" }, ["gate", "up"] }.FirstOrDefault(known => item.Item.Parts!.All(known.Contains)) ?? [.. item.Item.Parts!];
            var field = place.Child!.Symbol.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax();
            diagnostics.Add("PG039", claim.Method.Syntax.SyntaxTree, claim.SpanOf(item.Item), place.Parts is null ? [new(DiagnosticProperties.Fused, string.Join(",", guess))] : [],
                [item.Item.Text, $"parts of {NameOf(place)}", place.Parts is null ? $"nothing tells its parts; write [Fused({string.Join(", ", guess.Select(g => $"\"{g}\""))})] on it" : $"its parts are {string.Join(", ", place.Parts)}"],
                place.Parts is null && field is not null ? [field] : []);
        }
    }

    private static string NameOf(Place place) => $"{place.Owner.Symbol.Name}.{place.Child!.Name}";

    private void ReportCannotCarry(DeclaredClaim claim, ResolvedItem item, Place place)
    {
        var what = place.Kind == PlaceKind.Parameter ? "Parameter" : place.Type?.Name ?? "Module";
        var (owner, name) = place.Child is null ? (root.Symbol.Name, place.Path) : (place.Owner.Symbol.Name, place.Child.Name);
        var needs = claim.Hosts.Count == 0 ? "a layer" : "a layer of type " + string.Join(" or ", claim.Hosts.Select(h => h.Name));
        Report("PG003", claim.Method, claim.SpanOf(item.Item), item.Item.Text, owner, name, what, claim.Method.Name, needs);
    }

    private void ReportRole(DeclaredClaim claim, ResolvedItem item, List<Place> matched)
    {
        var names = matched.Where(p => p.Kind is PlaceKind.Layer or PlaceKind.Parameter or PlaceKind.Module && p.Path.Length > 0)
            .Select(p => $"{p.Owner.Symbol.Name}{(p.Child is null ? "" : "." + p.Child.Name)}{(item.PartsOf(p.Candidate) is { } parts ? $"[{string.Join(",", parts)}]" : "")}").Distinct().OrderBy(n => n, StringComparer.Ordinal).ToList();
        if (names.Count > 0)
        {
            var several = matched.Any(p => p.Child is not null && matched.Any(o => o.Owner == p.Owner && o.Child is not null && o.Child != p.Child && o.Kind == p.Kind));
            Report(several ? "PG018" : "PG011", claim.Method, claim.SpanOf(item.Item), item.Item.Text, string.Join(", ", names));
        }
    }

    private void ReportElsewhere(DeclaredClaim claim, ResolvedItem item, Place place, string lies) => Report(
        "PG012", claim.Method, claim.SpanOf(item.Item), item.Item.Text, lies, place.Child is null ? $"{place.Owner.Symbol.Name}, whose base class" : $"{NameOf(place)}, whose class", place.Type!.Name);

    private void ReportNoSuchTarget(DeclaredClaim claim, Microsoft.CodeAnalysis.Text.TextSpan span, ResolvedItem resolved)
    {
        var item = resolved.Item;
        var target = item.Text;
        if (item.Pattern is { IsName: false } && (target.StartsWith("regex:", StringComparison.Ordinal) || target.Split('.').Any(s => s is "*" or "**" || s.All(char.IsDigit))))
        {
            ReportNoSuchPattern(claim, span, target);
            return;
        }

        var (message, names) = _suggestions.For(claim, target);
        // What the classes of another assembly hold cannot be seen from here; what is not here, and is like nothing here, can only be there.
        if (names.Count == 0 && walker.Foreign.FirstOrDefault() is { } foreign)
        {
            ReportElsewhere(claim, resolved, foreign, "can only lie");
            return;
        }

        var properties = new List<DiagnosticProperty>();
        if (names.Count > 0)
            properties.AddRange([new(DiagnosticProperties.Target, target), new(DiagnosticProperties.Suggestions, string.Join(",", names))]);
        var field = _suggestions.FieldLike(target);
        if (field is not null)
            properties.Add(new(DiagnosticProperties.Name, target.Substring(target.LastIndexOf('.') + 1)));
        diagnostics.Add("PG001", claim.Method.Syntax.SyntaxTree, span, properties, [target, root.Symbol.Name, message], field is null ? [] : [field]);
    }

    private void ReportNoSuchPattern(DeclaredClaim claim, Microsoft.CodeAnalysis.Text.TextSpan span, string target)
    {
        var paths = walker.Places.Where(p => p.Child is not null && (p.Kind == PlaceKind.Layer || (claim.Kind == SiteKind.Parameter && p.Kind == PlaceKind.Parameter))).Select(p => p.Path).Distinct()
            .OrderBy(p => EditDistance.Between(target, p)).ThenBy(p => p, StringComparer.Ordinal).Take(3).ToList();
        Report("PG017", claim.Method, span, target, root.Symbol.Name, paths.Count == 0 ? "there are no layers" : $"the nearest are {string.Join(", ", paths)}");
    }

    private void Report(string id, DeclaredMethod method, Microsoft.CodeAnalysis.Text.TextSpan span, params string[] arguments) =>
        diagnostics.Add(id, method.Syntax.SyntaxTree, span, arguments);
}
