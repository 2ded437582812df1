using Microsoft.CodeAnalysis;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Parsing;

/// <summary>A target that met a place.</summary>
/// <param name="Claim">The wish.</param>
/// <param name="Item">The target.</param>
/// <param name="Place">The place.</param>
/// <param name="IsSite">Whether an adapter can stand there.</param>
/// <param name="Extent">How much of the place is meant.</param>
internal sealed record TargetMatch(DeclaredClaim Claim, ResolvedItem Item, Place Place, bool IsSite, Extent Extent);

/// <summary>Puts what the parser knows into the report. Works only where a project asks for it.</summary>
internal sealed class ReportBuilder(BodyScanner scanner)
{
    private readonly List<(ModelClass root, List<DeclaredMethod> methods, PlaceWalker walker, List<TargetMatch> matches)> _roots = [];

    public void Add(ModelClass root, List<DeclaredMethod> methods, PlaceWalker walker, List<TargetMatch> matches) => _roots.Add((root, methods, walker, matches));

    public ReportModel Build(Reachability reach, IReadOnlyCollection<ModelClass> closed, IReadOnlyCollection<DiagnosticModel> diagnostics)
    {
        var classes = reach.Classes.OrderBy(NameOf, StringComparer.Ordinal).ToList();
        var held = _roots.SelectMany(r => r.walker.Holders.Keys).Concat(closed).Distinct().OrderBy(NameOf, StringComparer.Ordinal);
        var abstractly = new HashSet<ModelClass>(_roots.SelectMany(r => r.walker.Abstractly));
        return new ReportModel(
            _roots.Select(r => BuildRoot(r.root, r.methods, r.walker, r.matches, diagnostics)).ToEquatable(),
            classes.Select(c => new ReportClass(NameOf(c), MethodsOf(c, reach, compiled: true).ToEquatable())).ToEquatable(),
            held.Where(c => !reach.Classes.Contains(c)).Select(c => new ReportNote(NameOf(c),
                closed.Contains(c) ? "cannot be extended; see the errors"
                : abstractly.Contains(c) ? "may stand in an abstract place, and no call in it reaches a site"
                : "no call in it reaches a site")).ToEquatable(),
            classes.SelectMany(c => MethodsOf(c, reach, compiled: false).Select(m => new ReportNote($"{NameOf(c)}.{m.What}", m.Why))).ToEquatable());
    }

    private static ReportRoot BuildRoot(
        ModelClass root, List<DeclaredMethod> methods, PlaceWalker walker, List<TargetMatch> matches, IReadOnlyCollection<DiagnosticModel> diagnostics)
    {
        // What nothing calls is a site of the declaration and none of the program.
        var uncalled = new HashSet<(string, string)>(diagnostics.Where(d => d.Id is "PG002" or "PG038").Select(d => (d.Arguments[1], d.Arguments[2])));
        bool IsUncalled(TargetMatch m) => m.Place.Child is { } child && uncalled.Contains((m.Place.Owner.Symbol.Name, child.Name));
        var met = new HashSet<string>(matches.Where(m => m.IsSite).Select(m => m.Place.Path));
        return new ReportRoot(
            NameOf(root),
            Group.Of(methods).Select(g => new ReportGroup(
                g.Type, g.Methods.Select(m => $"[{m.Syntax}]").ToEquatable(), g.Methods.Where(m => !m.Merges).Select(m => $"[{m.Syntax}]").ToEquatable())).ToEquatable(),
            matches.Where(m => m.IsSite && !IsUncalled(m)).Select(m => new ReportSite(
                m.Place.Path, WhereOf(m.Place), m.Place.Type?.Name ?? "Module", m.Claim.Kind.ToString(), m.Claim.Method.Name, m.Item.Item.Text, m.Item.Role is not null)).Distinct().ToEquatable(),
            matches.Where(m => !m.IsSite && m.Place.Kind != PlaceKind.LayerParameter || IsUncalled(m))
                .Where(m => IsUncalled(m) || !met.Contains(m.Place.Path))
                .Select(m => new ReportNote($"{m.Place.Path} ({WhereOf(m.Place)})", $"`{m.Item.Item.Text}` of {m.Claim.Method.Name}: {Why(m, IsUncalled(m))}")).Distinct().ToEquatable(),
            walker.Places.Where(p => p.Kind is PlaceKind.Layer or PlaceKind.Parameter && !matches.Any(m => m.Place.Path == p.Path)).Select(p => p.Path).Distinct().ToEquatable());
    }

    private static string Why(TargetMatch match, bool isUncalled) =>
        isUncalled ? "no code calls it"
        : match.Place.Kind == PlaceKind.Elsewhere ? "lies in a class of another assembly"
        : match.Claim.Kind == SiteKind.Layer && match.Place.Kind == PlaceKind.Layer ? $"a {match.Place.Type?.Name} cannot carry it"
        : $"is no {match.Claim.Kind.ToString().ToLowerInvariant()} site";

    private IEnumerable<ReportNote> MethodsOf(ModelClass type, Reachability reach, bool compiled) =>
        from scan in scanner.Scan(type)
        where reach.Methods.Contains(scan.Symbol) == compiled
        let line = scan.Syntax.Identifier.GetLocation().GetLineSpan()
        select new ReportNote(scan.Symbol.Name, $"{line.Path.Replace('\\', '/')}:{line.StartLinePosition.Line + 1}");

    private static string WhereOf(Place place) => place.Child is null ? NameOf(place.Owner) : $"{NameOf(place.Owner)}.{place.Child.Name}";

    private static string NameOf(ModelClass type) => type.Symbol.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat);
}
