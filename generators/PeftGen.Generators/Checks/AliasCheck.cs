using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>All bodies of a class go to one file, where an alias can have one meaning.</summary>
internal static class AliasCheck
{
    /// <summary>Reports aliases of which parts of a class have their own.</summary>
    /// <param name="type">The class.</param>
    /// <param name="reach">What is compiled.</param>
    /// <param name="scanner">The bodies.</param>
    /// <param name="diagnostics">Where to report.</param>
    public static bool Passes(ModelClass type, Reachability reach, BodyScanner scanner, DiagnosticList diagnostics)
    {
        var passes = true;
        var meanings = new Dictionary<(string scope, string alias), string>();
        var parts = scanner.Scan(type).Where(m => reach.Methods.Contains(m.Symbol)).Select(m => m.Syntax.Parent!)
            .OrderBy(p => p.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(p => p.SpanStart).Distinct();
        foreach (var scope in parts.SelectMany(p => p.Ancestors()).Distinct())
        {
            var (name, usings) = scope switch
            {
                BaseNamespaceDeclarationSyntax inner => (inner.Name.ToString(), inner.Usings),
                CompilationUnitSyntax unit => ("", unit.Usings),
                _ => ("", default),
            };
            foreach (var directive in usings.Where(u => u.Alias is not null && u.GlobalKeyword.IsKind(SyntaxKind.None)))
            {
                var alias = directive.Alias!.Name.Identifier.ValueText;
                var meaning = directive.NamespaceOrType.ToString();
                if (!meanings.TryGetValue((name, alias), out var other))
                    meanings[(name, alias)] = other = meaning;
                if (other == meaning)
                    continue;
                diagnostics.Add("PG030", directive.SyntaxTree, directive.Span, alias, meaning, other, type.Symbol.Name);
                passes = false;
            }
        }

        return passes;
    }
}
