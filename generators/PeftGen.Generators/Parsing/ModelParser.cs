using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Checks;
using PeftGen.Generators.Model;
using PeftGen.Generators.Outlining;

namespace PeftGen.Generators.Parsing;

/// <summary>From annotated classes to the models of all classes to emit. Only the parser sees symbols.</summary>
internal static class ModelParser
{
    /// <summary>Parses a project.</summary>
    /// <param name="project">The files and their compilation.</param>
    /// <param name="cancel">Ends it early.</param>
    /// <returns>The result, and the files of which more was read than their outline.</returns>
    public static (ParseResult result, IReadOnlyCollection<SyntaxTree> read) Parse(Project project, CancellationToken cancel)
    {
        var compilation = project.Compilation;
        var diagnostics = new DiagnosticList();
        if (KnownTypes.Find(compilation) is not { } known)
            return (new ParseResult(default, default), []);
        var named = new NamedClasses(project.Files, compilation, known);
        var graph = new ModelGraph(compilation, known, named);
        var scanner = new BodyScanner(graph, cancel);
        var sites = new CompiledSites();
        var roots = new Dictionary<ModelClass, List<DeclaredMethod>>();
        var holders = new Dictionary<ModelClass, HashSet<ModelClass>>();
        var abstractly = new HashSet<ModelClass>();
        var certain = new HashSet<ModelClass>();
        var matches = new List<TargetMatch>();

        var report = project.Reports ? new ReportBuilder(scanner) : null;
        foreach (var symbol in named.Declaring())
        {
            var methods = DeclarationParser.Parse(symbol, known, diagnostics);
            if (methods.Count == 0)
                continue;
            if (graph.ClassOf(symbol) is not { } root)
            {
                foreach (var method in methods)
                    diagnostics.Add("PG005", method.Syntax.SyntaxTree, method.Syntax.Span, method.Name, symbol.Name);
                continue;
            }

            var walker = PlaceWalker.Walk(graph, root, cancel);
            var finder = new SiteFinder(root, walker, sites, scanner, diagnostics);
            foreach (var method in methods)
                finder.Match(method);
            report?.Add(root, methods, walker, finder.Matches);
            roots[root] = methods;
            Group.Of(methods, diagnostics);
            Merge(holders, walker.Holders);
            abstractly.UnionWith(walker.Abstractly);
            certain.UnionWith(walker.Certain);
            matches.AddRange(finder.Matches);
        }

        var reach = new Reachability(graph, scanner, sites, holders, roots.Keys, []);
        NeverCalled.Report(graph, scanner, sites, reach, diagnostics);
        // What cannot be extended is left out, and the others run it as the base does: so mistakes show as our diagnostics alone.
        var closed = reach.Classes.Where(type =>
            !PartialCheck.Passes(type, roots.ContainsKey(type), certain.Contains(type), diagnostics) | !NameCheck.Passes(type, roots.TryGetValue(type, out var own) ? own : null, diagnostics)).ToList();
        if (closed.Count > 0)
            reach = new Reachability(graph, scanner, sites, holders, roots.Keys, closed);
        ModelChecks.Run(new CheckContext(graph, scanner, sites, reach, roots, matches, diagnostics));
        var builder = new ClassModelBuilder(graph, scanner, sites, reach, abstractly, diagnostics);
        var classes = reach.Classes
            .Select(type => builder.Build(type, roots.TryGetValue(type, out var methods) ? methods : null))
            .OrderBy(model => model.HintName, StringComparer.Ordinal)
            .ToEquatable();
        var found = diagnostics.Items.OrderBy(d => d.File, StringComparer.Ordinal).ThenBy(d => d.Span.Start).ThenBy(d => d.Id, StringComparer.Ordinal).ToEquatable();
        return (new ParseResult(classes, found, report?.Build(reach, closed, diagnostics.Items)), [.. graph.Read.Union(diagnostics.Files)]);
    }

    private static void Merge(Dictionary<ModelClass, HashSet<ModelClass>> all, Dictionary<ModelClass, HashSet<ModelClass>> one)
    {
        foreach (var pair in one)
            if (all.TryGetValue(pair.Key, out var known))
                known.UnionWith(pair.Value);
            else
                all[pair.Key] = pair.Value;
    }
}

/// <summary>Code can only be generated into classes that are partial, with all classes around them.</summary>
internal static class PartialCheck
{
    public static bool Passes(ModelClass type, bool isRoot, bool isCertain, DiagnosticList diagnostics)
    {
        var passes = true;
        for (INamedTypeSymbol? current = type.Symbol; current is not null; current = current.ContainingType)
        {
            foreach (var declaration in current.DeclaringSyntaxReferences.Select(r => r.GetSyntax()).OfType<TypeDeclarationSyntax>())
            {
                if (declaration.Modifiers.Any(m => m.ValueText == "file"))
                {
                    diagnostics.Add("PG032", declaration.SyntaxTree, declaration.Identifier.Span, current.Name);
                    passes = false;
                    continue;
                }

                if (declaration.Modifiers.Any(m => m.ValueText == "partial"))
                    continue;
                passes = false;
                if (!isCertain)
                {
                    diagnostics.Add("PG016", declaration.SyntaxTree, declaration.Identifier.Span, current.Name);
                    continue;
                }

                var why = !SymbolEqualityComparer.Default.Equals(current, type.Symbol) ? $"is declared around {type.Symbol.Name}, which is compiled"
                    : isRoot ? "bears a method of adaptation"
                    : "lies on the way to a target";
                diagnostics.Add("PG004", declaration.SyntaxTree, declaration.Identifier.Span, current.Name, why);
            }
        }

        return passes;
    }
}

/// <summary>What is emitted must not meet what the user declared.</summary>
internal static class NameCheck
{
    /// <summary>Reports clashes in a class.</summary>
    /// <param name="type">The class.</param>
    /// <param name="declared">The methods that it declares, if it is a root.</param>
    /// <param name="diagnostics">Where to report.</param>
    public static bool Passes(ModelClass type, List<DeclaredMethod>? declared, DiagnosticList diagnostics)
    {
        var passes = true;
        foreach (var name in Emitted(declared))
            foreach (var member in type.Symbol.GetMembers(name))
            {
                var place = member.Locations.FirstOrDefault(l => l.IsInSource);
                if (place is null)
                    continue;
                diagnostics.Add("PG009", place.SourceTree!, place.SourceSpan, type.Symbol.Name, name);
                passes = false;
            }

        return passes;
    }

    private static IEnumerable<string> Emitted(List<DeclaredMethod>? declared)
    {
        yield return "Adapter";
        if (declared is null)
            yield break;
        yield return "Adapted";
        yield return "With";
        yield return "Unfreeze";
        foreach (var group in Group.Of(declared))
        {
            yield return group.Type;
            yield return group.Create;
            yield return group.Load;
        }
    }
}

/// <summary>A target that no code calls would be adapted in vain.</summary>
internal static class NeverCalled
{
    public static void Report(ModelGraph graph, BodyScanner scanner, CompiledSites sites, Reachability reach, DiagnosticList diagnostics)
    {
        var uses = reach.Classes.SelectMany(type => scanner.Scan(type).SelectMany(m => m.Uses.Select(use => (type, use)))).ToList();
        var called = sites.Children.ToLookup(c => c.child.Shape == ChildShape.Parameter || uses.Any(u => Calls(graph, u.type, u.use, c.owner, c.child)));
        var atWork = new HashSet<DeclaredClaim>(called[true].SelectMany(c => sites.ClaimsOn(c.owner, c.child)));
        foreach (var (owner, child) in called[false])
        {
            foreach (var claim in sites.ClaimsOn(owner, child).Where(c => c.Kind == SiteKind.Layer && !c.Optional).Distinct())
            {
                var item = claim.Targets.Items.FirstOrDefault(i => i.Pattern?.Matches(child.Path) == true) ?? claim.Targets.Items.FirstOrDefault(i => i.Pattern is null) ?? claim.Targets.Items[0];
                // A name means this very field; a role or a pattern may meet more than is meant, unless nothing at all that it meets is called.
                var isMeant = (item.Pattern is { IsName: true } && item.Text == child.Name) || !atWork.Contains(claim);
                diagnostics.Add(isMeant ? "PG002" : "PG038", claim.Method.Syntax.SyntaxTree, claim.SpanOf(item), item.Text, owner.Symbol.Name, child.Name);
            }
        }
    }

    private static bool Calls(ModelGraph graph, ModelClass type, Use use, ModelClass owner, ModelChild child)
    {
        var receiver = use switch
        {
            LayerUse layer => layer.Receiver,
            NodeUse node => node.Receiver,
            ResidualUse { Norm: { } norm } => norm.Receiver,
            MethodGroupUse group => group.Receiver,
            WeightUse weight => weight.Receiver,
            HandedUse handed => handed.Receiver,
            _ => null,
        };
        if (receiver is null)
            return false;
        if (receiver.IsDirect)
            return receiver.Chain.Any(link => link.owner == owner && link.child == child);
        return (type.Lineage.Contains(owner) || owner.Lineage.Contains(type)) && graph.MayBe(child, receiver.Type);
    }
}
