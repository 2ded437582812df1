using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Parsing;

/// <summary>Who can see a type, so that emitted members do not show more than they may.</summary>
internal static class Visibility
{
    /// <summary>
    /// The accessibility of a member of <paramref name="owner"/>'s adapter whose type comes from <paramref name="type"/>;
    /// null where no accessibility lets the owner read such a member, since the type is private to it.
    /// </summary>
    public static string? OfMember(INamedTypeSymbol owner, ITypeSymbol type)
    {
        if (HiddenIn(type) is { } container)
            return HiddenIn(owner) is { } own && IsWithin(own, container) ? "public" : null;
        return !IsInternal(type) || IsInternal(owner) || HiddenIn(owner) is not null ? "public" : "internal";
    }

    /// <summary>The class that a type, or one of its arguments, is private to; null: none.</summary>
    private static INamedTypeSymbol? HiddenIn(ITypeSymbol type)
    {
        for (var current = type as INamedTypeSymbol; current is not null; current = current.ContainingType)
        {
            if (current.DeclaredAccessibility is Accessibility.Private or Accessibility.Protected or Accessibility.ProtectedAndInternal)
                return current.ContainingType;
            foreach (var argument in current.TypeArguments)
                if (HiddenIn(argument) is { } container)
                    return container;
        }

        return null;
    }

    private static bool IsInternal(ITypeSymbol type)
    {
        for (var current = type as INamedTypeSymbol; current is not null; current = current.ContainingType)
            if (current.DeclaredAccessibility is Accessibility.Internal or Accessibility.ProtectedOrInternal || current.TypeArguments.Any(IsInternal))
                return true;
        return false;
    }

    private static bool IsWithin(INamedTypeSymbol inner, INamedTypeSymbol outer)
    {
        for (var current = inner; current is not null; current = current.ContainingType)
            if (SymbolEqualityComparer.Default.Equals(current.OriginalDefinition, outer.OriginalDefinition))
                return true;
        return false;
    }
}

/// <summary>Names as code has to write them.</summary>
internal static class Identifiers
{
    /// <summary>A name, with <c>@</c> where it is a keyword.</summary>
    public static string Escape(string name) => SyntaxFacts.GetKeywordKind(name) == SyntaxKind.None ? name : "@" + name;
}
