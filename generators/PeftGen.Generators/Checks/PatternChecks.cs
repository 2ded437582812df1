using Microsoft.CodeAnalysis;
using PeftGen.Generators.Diagnostics;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Numbers that a declaration gives to some sites, by path.</summary>
internal static class PatternChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var method in context.Roots.Values.SelectMany(m => m))
            foreach (var property in DeclaredMethod.Properties(method.Type))
                if (DeclaredMethod.AttributesOf(property, "PatternAttribute").FirstOrDefault() is { ConstructorArguments: [{ Value: string targets }] } pattern
                    && property.Type.SpecialType == SpecialType.System_String && method.ValueOf(property.Name)?.Value is string text)
                    Check(context, method, property.Name, targets, text, DeclaredMethod.Named(pattern, "ByBlock")?.Value is true);
    }

    private static void Check(CheckContext context, DeclaredMethod method, string property, string targets, string text, bool isByBlock)
    {
        if (!PatternEntry.TryParse(text, out var entries, out var error))
        {
            context.Diagnostics.Add("PG007", method.Syntax.SyntaxTree, DeclaredClaim.SpanIn(method, property, error.Start, error.Length), error.Message);
            return;
        }

        var sites = context.Matches.Where(m => m.IsSite && m.Claim.Method == method && m.Claim.Property == targets).Select(m => m.Place).ToList();
        // What is named only at run time may be anything.
        if (isByBlock || sites.Count == 0 || sites.Any(place => place.Type is null))
            return;
        foreach (var entry in entries.Where(e => !sites.Any(place => e.Path.MatchesSome(place.Path))))
        {
            var near = sites.Select(place => place.Path.Substring(place.Path.LastIndexOf('.') + 1)).Where(name => name != "*").Distinct()
                .Select(name => (name, distance: EditDistance.Between(entry.Key, name))).Where(n => n.distance <= Math.Max(2, n.name.Length / 3)).OrderBy(n => n.distance).ThenBy(n => n.name, StringComparer.Ordinal).Select(n => n.name).Take(3).ToList();
            context.Diagnostics.Add("PG048", method.Syntax.SyntaxTree, DeclaredClaim.SpanIn(method, property, entry.Start, entry.Key.Length),
                near.Count == 0 ? [] : [new(DiagnosticProperties.Target, entry.Key), new(DiagnosticProperties.Suggestions, string.Join(",", near))],
                [entry.Key, property, method.WrittenName(targets), near.Count == 0 ? "correct it, or leave it away" : $"did you mean '{near[0]}'?"]);
        }
    }
}
