using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Targets that say less or more than they seem to.</summary>
internal static class TargetChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var claim in context.Matches.GroupBy(m => m.Claim))
            CheckRepeats(context, claim.Key, [.. claim.Where(m => m.IsSite)]);
        foreach (var root in context.Roots)
            foreach (var method in root.Value)
            {
                CheckParts(context, context.Walkers[root.Key], method, "WithinAttribute", "PG020");
                CheckParts(context, context.Walkers[root.Key], method, "LeavesOutAttribute", "PG023");
            }

        CheckShared(context);
    }

    /// <summary>An item whose sites earlier items have already.</summary>
    private static void CheckRepeats(CheckContext context, DeclaredClaim claim, List<TargetMatch> matches)
    {
        // A list's elements are one place, of which a target may mean some: only what earlier ones mean whole is taken, or what they mean in the same words.
        var (taken, written) = (new HashSet<string>(), new HashSet<string>());
        foreach (var item in matches.GroupBy(m => m.Item).OrderBy(g => g.Key.Item.Start))
        {
            var met = item.SelectMany(m => PathsOf(m).Select(path => (path, isWhole: Extents.Of(claim.Kind, m.Item, m.Place) == Extent.All))).ToList();
            if (!written.Add(item.Key.Item.Text) || met.All(m => taken.Contains(m.path) || taken.Contains(m.path.Split('[')[0])))
                context.Diagnostics.Add("PG022", claim.Method.Syntax.SyntaxTree, claim.SpanOf(item.Key.Item), item.Key.Item.Text);
            taken.UnionWith(met.Where(m => m.isWhole).Select(m => m.path));
        }
    }

    /// <summary>The place's path, or that of each part of it that is meant.</summary>
    private static IEnumerable<string> PathsOf(TargetMatch match) =>
        match.Claim.Kind == SiteKind.Layer && match.Item.PartsOf(match.Place.Candidate) is { } parts ? parts.Select(part => $"{match.Place.Path}[{part}]") : [match.Place.Path];

    /// <summary>Lists of targets that pick from another list: what they name has to be among its sites.</summary>
    private static void CheckParts(CheckContext context, PlaceWalker walker, DeclaredMethod method, string attribute, string id)
    {
        foreach (var property in DeclaredMethod.Properties(method.Type))
        {
            if (DeclaredMethod.AttributesOf(property, attribute).FirstOrDefault() is not { ConstructorArguments: [{ Value: string whole }] } relation)
                continue;
            if (method.PlaceOf(property.Name).argument is null || property.Type.SpecialType != SpecialType.System_String || method.ValueOf(property.Name)?.Value is not string text
                // Within a list none may be meant; who leaves out has something to leave out.
                || (text.Length == 0 && attribute == "WithinAttribute"))
                continue;
            if (!TargetList.TryParse(text, out var list, out var error))
            {
                context.Diagnostics.Add("PG007", method.Syntax.SyntaxTree, DeclaredClaim.SpanIn(method, property.Name, error.Start, error.Length), error.Message);
                continue;
            }

            var sites = context.Matches.Where(m => m.IsSite && ReferenceEquals(m.Claim.Method, method) && m.Claim.Property == whole).ToList();
            foreach (var item in list.Resolve(walker.Shape).Items)
            {
                var span = DeclaredClaim.SpanIn(method, property.Name, item.Item.Start, item.Item.Length);
                var met = sites.Where(m => Extents.Meets(m.Claim.Kind, item, m.Place)).ToList();
                if (sites.Count > 0 && met.Count == 0)
                    context.Diagnostics.Add(id, method.Syntax.SyntaxTree, span, item.Item.Text, property.Name, whole);
                // What one target calls by its parts another may mean as a whole.
                else if (DeclaredMethod.Named(relation, "Whole")?.Value is true && met.GroupBy(m => m.Place).FirstOrDefault(p => p.All(m => m.Item.PartsOf(m.Place.Candidate) is not null))?.Key is { } fused)
                    context.Diagnostics.Add("PG039", method.Syntax.SyntaxTree, span, item.Item.Text, $"{fused.Owner.Symbol.Name}.{fused.Child!.Name}, of which {method.WrittenName(whole)} has parts",
                        $"{method.WrittenName(property.Name)} of {method.Name} needs whole layers; name all of it in {method.WrittenName(whole)}, or take it out here");
            }
        }
    }

    /// <summary><c>head.weight = embed.weight</c>: what is shared is not merged.</summary>
    private static void CheckShared(CheckContext context)
    {
        var merges = context.Roots.Values.SelectMany(m => m).Any(m => m.Merges);
        foreach (var type in merges ? context.Reach.Classes.ToList() : [])
            foreach (var assignment in SourceOrder.PartsOf(type.Symbol).SelectMany(p => p.DescendantNodes().OfType<AssignmentExpressionSyntax>()))
            {
                if (assignment is not { Left: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "weight" or "bias" } left, Right: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "weight" or "bias" } right })
                    continue;
                var receivers = new ReceiverFinder(context.Graph, type, context.Scanner.ModelOf(assignment.SyntaxTree), default);
                var adapted = new[] { left, right }.Select(s => s.Expression).FirstOrDefault(e => receivers.Of(e) is { IsDirect: true } r && context.Sites.Contains(r.Target.owner, r.Target.child)
                    && !context.Sites.ClaimsOn(r.Target.owner, r.Target.child).All(claim => claim.MergesForAll));
                if (adapted is not null)
                    context.Diagnostics.Add("PG019", assignment.SyntaxTree, assignment.Span, left.ToString(), right.ToString(), adapted.ToString());
            }
    }
}
