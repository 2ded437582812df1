using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Code can only be generated into classes that are partial, with all classes around them.</summary>
internal static class PartialCheck
{
    /// <summary>Reports what stands in the way of extending a class.</summary>
    /// <param name="type">The class.</param>
    /// <param name="reach">What would be compiled.</param>
    /// <param name="graph">The classes.</param>
    /// <param name="scanner">Their bodies.</param>
    /// <param name="isRoot">Whether it is annotated.</param>
    /// <param name="isCertain">Whether it stands on the way to a target for sure.</param>
    /// <param name="diagnostics">Where to report.</param>
    public static bool Passes(ModelClass type, Reachability reach, ModelGraph graph, BodyScanner scanner, bool isRoot, bool isCertain, DiagnosticList diagnostics)
    {
        var passes = true;
        // What its base class has is all that an adapter needs of it.
        var isPlain = !isRoot && !isCertain && type.Base is { } above && reach.Classes.Contains(above)
            && !type.Own.Any(child => reach.IsCompiled(type, child)) && !scanner.Scan(type).Any(m => reach.Methods.Contains(m.Symbol)) && !graph.DerivedFrom(type).Any(reach.Classes.Contains);
        for (INamedTypeSymbol? current = type.Symbol; current is not null; current = current.ContainingType)
        {
            foreach (var declaration in current.DeclaringSyntaxReferences.Select(r => r.GetSyntax()).OfType<TypeDeclarationSyntax>())
            {
                var isFileLocal = declaration.Modifiers.Any(m => m.ValueText == "file");
                if (!isFileLocal && declaration.Modifiers.Any(m => m.ValueText == "partial"))
                    continue;
                passes = false;
                if (isPlain)
                    continue;
                if (isFileLocal)
                    diagnostics.Add("PG032", declaration.SyntaxTree, declaration.Identifier.Span, current.Name);
                else if (isCertain)
                    diagnostics.Add("PG004", declaration.SyntaxTree, declaration.Identifier.Span, current.Name, Why(type, current, isRoot));
                else
                    diagnostics.Add("PG016", declaration.SyntaxTree, declaration.Identifier.Span, current.Name, Harm(type, reach));
            }
        }

        return passes;
    }

    private static string Why(ModelClass type, INamedTypeSymbol current, bool isRoot) =>
        !SymbolEqualityComparer.Default.Equals(current, type.Symbol) ? $"is declared around {type.Symbol.Name}, which is compiled"
        : isRoot ? "bears a method of adaptation"
        : "lies on the way to a target";

    private static string Harm(ModelClass type, Reachability reach) => type.Base is { } above && reach.Classes.Contains(above)
        ? $"derives from {above.Symbol.Name}, which is compiled, and has code or layers of its own for an adapter to run, but is not partial, so no adapter can be made for a model with it"
        : "may stand where an abstract module is declared and has targets, but is not partial, so nothing is adapted in it";
}
