using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace PeftGen.Generators.Parsing;

/// <summary>One attribute of a root: a method, its constants, and the sites it wants. All knowledge of the method comes from its own type.</summary>
internal sealed class DeclaredMethod
{
    public DeclaredMethod(AttributeData data, AttributeSyntax syntax)
    {
        Data = data;
        Syntax = syntax;
        Type = data.AttributeClass!;
        Values = ReadValues(data);
        Group = Values.TryGetValue("Group", out var group) ? group.Value as string : null;
        Composes = FlagOf("ComposesAttribute");
        Merges = FlagOf("MergesAttribute") && !Properties(Type).Any(p => Has(p, "PreventsMergeAttribute") && ValueOf(p.Name)?.Value is true);
    }

    public AttributeData Data { get; }

    public AttributeSyntax Syntax { get; }

    public INamedTypeSymbol Type { get; }

    /// <summary>The method's name without the suffix that C# lets one leave out.</summary>
    public string Name => Type.Name.EndsWith("Attribute", StringComparison.Ordinal) ? Type.Name.Substring(0, Type.Name.Length - 9) : Type.Name;

    public string? Group { get; }

    /// <summary>Whether the method can share a site with another of its group.</summary>
    public bool Composes { get; }

    /// <summary>Whether adapters with the declared values can be merged.</summary>
    public bool Merges { get; }

    public List<DeclaredClaim> Claims { get; } = [];

    private Dictionary<string, TypedConstant> Values { get; }

    /// <summary>The constant of a constructor parameter or property, by name; null where neither the declaration nor a default gives one.</summary>
    public TypedConstant? ValueOf(string name) => Values.TryGetValue(name, out var value) ? value : null;

    /// <summary>Whether a property has a value that says something: neither null, false, 0 nor empty.</summary>
    public bool IsSet(string name) => ValueOf(name) is { } value && !IsNothing(value);

    /// <summary>Whether the declaration itself gives a property a value, and one that says something other than the method's own default.</summary>
    public bool Sets(string name) => PlaceOf(name).argument is not null && IsSet(name)
        && Data.AttributeConstructor!.Parameters.FirstOrDefault(p => IsCalled(p.Name, name)) is var parameter
        && !(parameter is { HasExplicitDefaultValue: true } && ValueOf(name) is { } value && value.Kind != TypedConstantKind.Array && Equals(parameter.ExplicitDefaultValue, value.Value));

    /// <summary>A property's name as one writes it in the attribute.</summary>
    public string WrittenName(string property) => Data.AttributeConstructor!.Parameters.FirstOrDefault(p => IsCalled(p.Name, property))?.Name ?? property;

    /// <summary>Whether a value says nothing: null, false, 0 or empty.</summary>
    public static bool IsNothing(TypedConstant value) => value.IsNull
        || (value.Kind == TypedConstantKind.Array ? value.Values.Length == 0 : value.Value switch { bool flag => !flag, string text => text.Length == 0, IConvertible number => number.ToDouble(CultureInfo.InvariantCulture) == 0, _ => false });

    private static bool IsCalled(string name, string property) => string.Equals(name, property, StringComparison.OrdinalIgnoreCase);

    /// <summary>Where a value stands in the user's code.</summary>
    public (AttributeArgumentSyntax? argument, TextSpan span) PlaceOf(string name)
    {
        var arguments = Syntax.ArgumentList?.Arguments ?? default;
        for (var i = 0; i < arguments.Count; i++)
        {
            var given = arguments[i].NameEquals?.Name.Identifier.ValueText ?? arguments[i].NameColon?.Name.Identifier.ValueText
                ?? (i < Data.AttributeConstructor!.Parameters.Length ? Data.AttributeConstructor.Parameters[i].Name : "");
            if (IsCalled(given, name))
                return (arguments[i], arguments[i].Expression.Span);
        }

        return (null, Syntax.Name.Span);
    }

    /// <summary>All properties of a method's type, inherited ones included.</summary>
    public static IEnumerable<IPropertySymbol> Properties(INamedTypeSymbol type)
    {
        for (INamedTypeSymbol? current = type; current is not null; current = current.BaseType)
            foreach (var property in current.GetMembers().OfType<IPropertySymbol>())
                yield return property;
    }

    /// <summary>The arguments of an attribute of PeftGen's that stands on a symbol, of each that does.</summary>
    public static IEnumerable<IReadOnlyList<TypedConstant>> ArgumentsOf(ISymbol symbol, string attribute) => AttributesOf(symbol, attribute).Select(a => (IReadOnlyList<TypedConstant>)a.ConstructorArguments);

    /// <summary>A named argument of an attribute; null: it is not given.</summary>
    public static TypedConstant? Named(AttributeData data, string name)
    {
        foreach (var argument in data.NamedArguments)
            if (argument.Key == name)
                return argument.Value;
        return null;
    }

    public static bool Has(ISymbol symbol, string attribute) => AttributesOf(symbol, attribute).Any();

    /// <summary>The attributes of a symbol with a name in PeftGen's namespace.</summary>
    public static IEnumerable<AttributeData> AttributesOf(ISymbol symbol, string attribute) =>
        symbol.GetAttributes().Where(a => a.AttributeClass?.Name == attribute && a.AttributeClass.ContainingNamespace.ToDisplayString() == "PeftGen");

    private bool FlagOf(string attribute) =>
        AttributesOf(Type, attribute).FirstOrDefault() is not { } data || data.ConstructorArguments is not [{ Value: false }];

    private static Dictionary<string, TypedConstant> ReadValues(AttributeData data)
    {
        var values = new Dictionary<string, TypedConstant>(StringComparer.OrdinalIgnoreCase);
        var parameters = data.AttributeConstructor?.Parameters ?? [];
        for (var i = 0; i < parameters.Length && i < data.ConstructorArguments.Length; i++)
            values[parameters[i].Name] = data.ConstructorArguments[i];
        foreach (var named in data.NamedArguments)
            values[named.Key] = named.Value;
        return values;
    }
}

/// <summary>A wish for sites, as the constants of a declaration express it.</summary>
/// <param name="Method">The declaration.</param>
/// <param name="Property">The property that expresses it.</param>
/// <param name="Kind">The kind of site.</param>
/// <param name="Targets">Where.</param>
/// <param name="Hosts">The layer types that can carry the method; empty: any.</param>
/// <param name="Optional">Whether it is no mistake that nothing matches.</param>
/// <param name="TakesParts">Whether the method can act on parts of fused layers.</param>
internal sealed record DeclaredClaim(DeclaredMethod Method, string Property, SiteKind Kind, TargetList Targets, IReadOnlyList<INamedTypeSymbol> Hosts, bool Optional, bool TakesParts)
{
    /// <summary>Whether the user wrote the list of targets.</summary>
    public bool IsWritten { get; init; }

    /// <summary>Whether merging is meant for every layer that has the same weight.</summary>
    public bool MergesForAll { get; init; }

    /// <summary>What a group has one of at a place; null: several may meet there.</summary>
    public string? Exclusive { get; init; }

    /// <summary>Whether a group has one place for it.</summary>
    public bool IsSingle { get; init; }

    /// <summary>The targets that are left out; null: none.</summary>
    public TargetList? LeftOut { get; init; }

    /// <summary>For inputs: the roles that a method of the model has to take.</summary>
    public IReadOnlyList<string> Inputs { get; init; } = [];

    /// <summary>The role that a layer below has to have; null: none.</summary>
    public string? Needs { get; init; }

    /// <summary>The name of a property that, where it is set, says what that layer would show; null: there is none.</summary>
    public string? NeedsUnless { get; init; }

    /// <summary>Whether only some blocks are meant, by their numbers.</summary>
    public bool IsOfSomeBlocks { get; init; }

    /// <summary>Where one target stands: the very characters of a plain string literal, else the expression.</summary>
    public TextSpan SpanOf(TargetItem item) => SpanOf(item.Start, item.Length);

    public TextSpan SpanOf(int start, int length) => SpanIn(Method, Property, start, length);

    public static TextSpan SpanIn(DeclaredMethod method, string property, int start, int length)
    {
        var (argument, span) = method.PlaceOf(property);
        return argument?.Expression is LiteralExpressionSyntax { RawKind: (int)SyntaxKind.StringLiteralExpression } literal
            && literal.Token.Text.Length == literal.Token.ValueText.Length + 2
            ? new TextSpan(literal.Token.SpanStart + 1 + start, length)
            : span;
    }
}
