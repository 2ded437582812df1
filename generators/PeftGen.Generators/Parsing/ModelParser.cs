using Microsoft.CodeAnalysis;
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
            return (new ParseResult(default, default, default), []);
        var named = new NamedClasses(project.Files, compilation, known);
        var graph = new ModelGraph(compilation, known, named);
        var scanner = new BodyScanner(graph, cancel);
        var sites = new CompiledSites();
        var ownLinears = new OwnLinears(graph, scanner);
        var roots = new Dictionary<ModelClass, List<DeclaredMethod>>();
        var holders = new Dictionary<ModelClass, HashSet<ModelClass>>();
        var abstractly = new HashSet<ModelClass>();
        var certain = new HashSet<ModelClass>();
        var matches = new List<TargetMatch>();
        var walkers = new Dictionary<ModelClass, PlaceWalker>();

        var report = project.Reports ? new ReportBuilder(scanner) : null;
        var declaring = new HashSet<INamedTypeSymbol>(named.Declaring(), SymbolEqualityComparer.Default);
        foreach (var symbol in declaring)
        {
            var methods = DeclarationParser.Parse(symbol, known, diagnostics);
            if (methods.Count == 0)
                continue;
            if (!LanguageCheck.Passes(methods[0], diagnostics))
                return Result(default, default, null);
            if (graph.ClassOf(symbol) is not { } root)
            {
                foreach (var method in methods)
                    diagnostics.Add("PG005", method.Syntax.SyntaxTree, method.Syntax.Span, method.Name, symbol.Name);
                continue;
            }

            var walker = PlaceWalker.Walk(graph, ownLinears, root, methods, declaring, cancel);
            var finder = new SiteFinder(root, walker, known, sites, scanner, diagnostics);
            foreach (var method in methods)
                finder.Match(method);
            report?.Add(root, methods, walker, finder.Matches);
            roots[root] = methods;
            walkers[root] = walker;
            Group.Of(methods, diagnostics);
            Merge(holders, walker.Holders);
            abstractly.UnionWith(walker.Abstractly);
            certain.UnionWith(walker.Certain);
            matches.AddRange(finder.Matches);
        }

        var reach = new Reachability(graph, scanner, sites, holders, abstractly, roots.Keys, []);
        CallChecks.Run(graph, scanner, sites, reach, certain, diagnostics);
        // What cannot be extended is left out, and the others run it as the base does: so mistakes show as our diagnostics alone.
        var closed = reach.Classes.Where(type =>
            !PartialCheck.Passes(type, reach, graph, scanner, roots.ContainsKey(type), certain.Contains(type), diagnostics) | !NameCheck.Passes(type, roots.TryGetValue(type, out var own) ? own : null, graph, scanner, diagnostics)
            | !AliasCheck.Passes(type, reach, scanner, diagnostics))
            .Union(sites.Linears.Keys.Where(type => !PartialCheck.Passes(type, reach, graph, scanner, false, certain.Contains(type), diagnostics))).ToList();
        if (closed.Count > 0)
            reach = new Reachability(graph, scanner, sites, holders, abstractly, roots.Keys, closed);
        ModelChecks.Run(new CheckContext(graph, scanner, sites, reach, roots, walkers, matches, diagnostics));
        // Where the parameters of such a layer are sites, too, its slot runs it through its node.
        abstractly.UnionWith(sites.Linears.Keys);
        var builder = new ClassModelBuilder(graph, scanner, sites, reach, new EmittedNames(graph, scanner, reach), abstractly, diagnostics);
        var classes = reach.Classes
            .Select(type => builder.Build(type, roots.TryGetValue(type, out var methods) ? methods : null))
            .OrderBy(model => model.HintName, StringComparer.Ordinal)
            .ToEquatable();
        var linears = sites.Linears.Values.Where(l => !closed.Contains(l.Type)).Select(builder.Build).OrderBy(l => l.HintName, StringComparer.Ordinal).ToEquatable();
        return Result(classes, linears, report?.Build(reach, closed, diagnostics.Items));

        (ParseResult, IReadOnlyCollection<SyntaxTree>) Result(EquatableArray<ClassModel> models, EquatableArray<LinearModel> layers, ReportModel? written) =>
            (new ParseResult(models, layers, diagnostics.Items.OrderBy(d => d.File, StringComparer.Ordinal).ThenBy(d => d.Span.Start).ThenBy(d => d.Id, StringComparer.Ordinal).ToEquatable(), written),
            [.. graph.Read.Union(diagnostics.Files)]);
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
