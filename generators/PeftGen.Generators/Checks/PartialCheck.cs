using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

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
