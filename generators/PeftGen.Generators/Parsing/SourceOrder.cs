using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>An order of declarations that does not depend on the order in which a compiler is given files: by path, then by place.</summary>
internal static class SourceOrder
{
    /// <summary>The parts of a class.</summary>
    public static IEnumerable<TypeDeclarationSyntax> PartsOf(INamedTypeSymbol type) =>
        type.DeclaringSyntaxReferences.Select(r => r.GetSyntax()).OfType<TypeDeclarationSyntax>().OrderBy(s => s.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(s => s.SpanStart);

    /// <summary>The members of a class of one kind.</summary>
    public static IEnumerable<T> MembersOf<T>(INamedTypeSymbol type) where T : ISymbol =>
        type.GetMembers().OfType<T>().OrderBy(m => PlaceOf(m).path, StringComparer.Ordinal).ThenBy(m => PlaceOf(m).start);

    private static (string path, int start) PlaceOf(ISymbol member)
    {
        var location = (member is IFieldSymbol { AssociatedSymbol: { } property } ? property : member).Locations.FirstOrDefault(l => l.IsInSource);
        return location is null ? ("", 0) : (location.SourceTree!.FilePath, location.SourceSpan.Start);
    }
}
