using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Declarations of which nothing is left: an adapter would have no number to train, or nothing would run it.</summary>
internal static class EmptyChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var pair in context.Roots)
        {
            foreach (var method in pair.Value)
                CheckTrains(context, pair.Key, method);
            CheckEntries(context, pair.Key, pair.Value);
        }
    }

    /// <summary>A method of parameters alone, where every layer that it means is made without them: biases over <c>Linear(4, 4, hasBias: false)</c>.</summary>
    private static void CheckTrains(CheckContext context, ModelClass root, DeclaredMethod method)
    {
        var matches = context.Matches.Where(m => m.IsSite && m.Claim.Method == method).ToList();
        if (matches.Count == 0 || method.Claims.Any(c => c.Kind == SiteKind.Input) || !matches.All(m => m.Claim.Kind == SiteKind.Parameter && Lacks(context, m.Place)))
            return;
        var first = matches[0];
        context.Diagnostics.Add("PG061", method.Syntax.SyntaxTree, first.Claim.SpanOf(first.Item.Item), first.Item.Item.Text, root.Symbol.Name,
            $"{first.Place.Owner.Symbol.Name}.{first.Place.Child!.Name} is made without {LastOf(first.Place.Path)}" + (matches.Select(m => m.Place.Child).Distinct().Count() > 1 ? ", and so are the others" : ""));
    }

    private static bool Lacks(CheckContext context, Place place) => place.Kind == PlaceKind.LayerParameter && place.Child is { } child && context.Creations.Lacks(child, LastOf(place.Path));

    private static string LastOf(string path) => path.Substring(path.LastIndexOf('.') + 1);

    /// <summary>A model without a method that a program could call with an adapter.</summary>
    private static void CheckEntries(CheckContext context, ModelClass root, List<DeclaredMethod> methods)
    {
        if (methods.Count == 0 || root.Symbol.IsAbstract || !context.Reach.Classes.Contains(root)
            // What a library's class runs for it is said of that.
            || context.Walkers[root].Foreign.Any(p => p.Child is null && p.Owner == root)
            || !context.Matches.Any(m => m.IsSite && methods.Contains(m.Claim.Method)) || context.Diagnostics.Items.Any(d => d.Id == "PG002")
            || RootModelBuilder.EntryMethods(root, context.Scanner, context.Reach).Any())
            return;
        context.Diagnostics.Add("PG062", methods[0].Syntax.SyntaxTree, methods[0].Syntax.Span, methods[0].Name, root.Symbol.Name);
    }
}
