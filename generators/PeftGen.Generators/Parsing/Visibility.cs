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
        var (own, needed) = (Limits(owner).ToList(), Limits(type).ToList());
        return needed.All(limit => own.Any(limit.Holds)) ? "public"
            : needed.All(limit => limit.Holds(Limit.OfAssembly) || own.Any(limit.Holds)) ? "internal"
            : null;
    }

    /// <summary>What limits who can name a type: its own accessibility, that of the classes around it, and that of its arguments.</summary>
    private static IEnumerable<Limit> Limits(ITypeSymbol type)
    {
        if (type is IArrayTypeSymbol array)
            return Limits(array.ElementType);
        var limits = new List<Limit>();
        for (var current = type as INamedTypeSymbol; current is not null; current = current.ContainingType)
        {
            switch (current.DeclaredAccessibility)
            {
                case Accessibility.Internal:
                    limits.Add(Limit.OfAssembly);
                    break;
                case Accessibility.Private or Accessibility.Protected or Accessibility.ProtectedOrInternal or Accessibility.ProtectedAndInternal:
                    limits.Add(new Limit(current.DeclaredAccessibility, current.ContainingType));
                    break;
            }

            limits.AddRange(current.TypeArguments.SelectMany(Limits));
        }

        return limits;
    }

    /// <summary>A limit: this assembly, or a class and, where it is protected, those that derive from it.</summary>
    private sealed record Limit(Accessibility Kind, INamedTypeSymbol? Class)
    {
        public static Limit OfAssembly { get; } = new(Accessibility.Internal, null);

        /// <summary>Whether all code within another limit is within this one.</summary>
        public bool Holds(Limit other) => (Kind, other.Kind) switch
        {
            (Accessibility.Internal, Accessibility.Internal or Accessibility.Private or Accessibility.ProtectedAndInternal) => true,
            (Accessibility.Private or Accessibility.Protected or Accessibility.ProtectedAndInternal, Accessibility.Private) => IsWithin(other.Class!, Class!),
            (Accessibility.Protected, Accessibility.Protected) => Derives(other.Class!, Class!),
            (Accessibility.Protected or Accessibility.ProtectedAndInternal, Accessibility.ProtectedAndInternal) => Derives(other.Class!, Class!),
            (Accessibility.ProtectedOrInternal, Accessibility.Internal or Accessibility.Private or Accessibility.ProtectedAndInternal) => true,
            (Accessibility.ProtectedOrInternal, Accessibility.Protected or Accessibility.ProtectedOrInternal) => Derives(other.Class!, Class!),
            _ => false,
        };
    }

    private static bool Derives(INamedTypeSymbol type, INamedTypeSymbol from) => KnownTypes.DerivesFrom(type, from.OriginalDefinition);

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
