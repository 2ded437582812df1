using System.Globalization;
using Microsoft.CodeAnalysis;
using PeftGen.Generators.Diagnostics;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Constants of a declaration that its method says it cannot use, each by itself and beside the others.</summary>
internal static class ValueChecks
{
    public static void Run(DeclaredMethod method, DiagnosticList diagnostics)
    {
        CheckRanges(method, diagnostics);
        CheckMembers(method, diagnostics);
        CheckAtLeastOne(method, diagnostics);
        foreach (var property in DeclaredMethod.Properties(method.Type))
        {
            CheckNames(method, property, diagnostics);
            CheckEffect(method, property, diagnostics);
            CheckRequired(method, property, diagnostics);
            CheckDistinct(method, property, diagnostics);
        }
    }

    private static void CheckRanges(DeclaredMethod method, DiagnosticList diagnostics)
    {
        var places = method.Data.AttributeConstructor!.Parameters.Cast<ISymbol>().Concat(DeclaredMethod.Properties(method.Type));
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var place in places)
        {
            if (DeclaredMethod.AttributesOf(place, "InRangeAttribute").FirstOrDefault() is not { } range || !seen.Add(place.Name) || method.ValueOf(place.Name) is not { } value)
                continue;
            var (min, max) = ((double)range.ConstructorArguments[0].Value!, (double)range.ConstructorArguments[1].Value!);
            var isList = value.Kind == TypedConstantKind.Array || value.Value is string;
            var name = method.WrittenName(place.Name);
            foreach (var number in Numbers(value).Where(n => !(n >= min && n <= max)).Take(1))
                diagnostics.Add("PG006", method.Syntax.SyntaxTree, method.PlaceOf(name).span, isList ? $"a number of {name}" : name, Text(number), method.Name, Text(min), Text(max));
        }
    }

    /// <summary>Numbers that were cast to an enum and name none of its members.</summary>
    private static void CheckMembers(DeclaredMethod method, DiagnosticList diagnostics)
    {
        var parameters = method.Data.AttributeConstructor!.Parameters.Select((p, i) => (p.Name, value: method.Data.ConstructorArguments[i]));
        foreach (var (name, value) in parameters.Concat(method.Data.NamedArguments.Select(n => (Name: n.Key, value: n.Value))))
            foreach (var given in value.Kind == TypedConstantKind.Array ? value.IsNull ? [] : value.Values.AsEnumerable() : [value])
                if (given is { Kind: TypedConstantKind.Enum, IsNull: false, Type: { } type } && !IsMember(type, Bits(given.Value)))
                    diagnostics.Add("PG060", method.Syntax.SyntaxTree, method.PlaceOf(name).span, method.WrittenName(name), Convert.ToString(given.Value, CultureInfo.InvariantCulture)!, type.Name,
                        string.Join(", ", MembersOf(type).Select(m => $"{type.Name}.{m.Name}")));
    }

    private static bool IsMember(ITypeSymbol type, long value)
    {
        var members = MembersOf(type).Select(m => Bits(m.ConstantValue)).ToList();
        var isSet = type.GetAttributes().Any(a => a.AttributeClass?.Name == "FlagsAttribute");
        return members.Contains(value) || (isSet && value != 0 && (value & ~members.Aggregate(0L, (all, one) => all | one)) == 0);
    }

    private static long Bits(object? value) => value is ulong large ? unchecked((long)large) : Convert.ToInt64(value, CultureInfo.InvariantCulture);

    private static IEnumerable<IFieldSymbol> MembersOf(ITypeSymbol type) => type.GetMembers().OfType<IFieldSymbol>().Where(f => f.HasConstantValue);

    /// <summary>The number, or the numbers of a list or a pattern.</summary>
    private static IEnumerable<double> Numbers(TypedConstant value) =>
        value.Kind == TypedConstantKind.Array ? value.IsNull ? [] : value.Values.SelectMany(Numbers)
        : value.Value is string pattern ? PatternEntry.TryParse(pattern, out var entries, out _) ? entries.Select(e => e.Value) : []
        : value.Value is IConvertible number and not bool ? [number.ToDouble(CultureInfo.InvariantCulture)] : [];

    /// <summary>Names that there are not.</summary>
    private static void CheckNames(DeclaredMethod method, IPropertySymbol property, DiagnosticList diagnostics)
    {
        if (DeclaredMethod.ArgumentsOf(property, "OneOfAttribute").FirstOrDefault() is not [{ Value: string list }] || property.Type.SpecialType != SpecialType.System_String
            || method.ValueOf(property.Name)?.Value is not string name)
            return;
        var names = list.Split(',');
        if (names.Contains(name, StringComparer.OrdinalIgnoreCase))
            return;
        var near = names.Select(n => (n, distance: EditDistance.Between(name.ToLowerInvariant(), n.ToLowerInvariant()))).Where(n => n.distance <= Math.Max(2, name.Length / 3))
            .OrderBy(n => n.distance).ThenBy(n => n.n, StringComparer.Ordinal).Select(n => n.n).Take(3).ToList();
        diagnostics.Add("PG045", method.Syntax.SyntaxTree, DeclaredClaim.SpanIn(method, property.Name, 0, name.Length),
            near.Count == 0 ? [] : [new(DiagnosticProperties.Target, name), new(DiagnosticProperties.Suggestions, string.Join(",", near))],
            [method.WrittenName(property.Name), name, method.Name, near.Count > 0 ? $"did you mean '{near[0]}'?" : $"there are {string.Join(", ", names)}"]);
    }

    /// <summary>Values that count for nothing beside the others.</summary>
    private static void CheckEffect(DeclaredMethod method, IPropertySymbol property, DiagnosticList diagnostics)
    {
        if (!method.Sets(property.Name))
            return;
        foreach (var other in DeclaredMethod.ArgumentsOf(property, "OverriddenByAttribute").Select(a => a[0].Value).OfType<string>().Where(method.IsSet))
            Report($"beside {method.WrittenName(other)}; leave one of them away");
        foreach (var other in Missing(method, DeclaredMethod.ArgumentsOf(property, "OnlyWithAttribute")))
            Report($"without {other}; set that, too, or leave it away");

        void Report(string why) => diagnostics.Add(
            "PG043", method.Syntax.SyntaxTree, (method.PlaceOf(property.Name).argument ?? (SyntaxNode)method.Syntax).Span, method.WrittenName(property.Name), method.Name, why);
    }

    /// <summary>Values that need another.</summary>
    private static void CheckRequired(DeclaredMethod method, IPropertySymbol property, DiagnosticList diagnostics)
    {
        if (!method.IsSet(property.Name))
            return;
        var value = method.ValueOf(property.Name)!.Value;
        var member = property.Type.TypeKind == TypeKind.Enum ? property.Type.GetMembers().OfType<IFieldSymbol>().FirstOrDefault(f => Equals(f.ConstantValue, value.Value)) : null;
        foreach (var needed in Missing(method, new ISymbol?[] { property, member }.OfType<ISymbol>().SelectMany(symbol => DeclaredMethod.ArgumentsOf(symbol, "RequiresAttribute"))))
        {
            var what = method.WrittenName(property.Name) + (member is null ? "" : $" = {member.Name}");
            Contradict(method, property.Name, $"{what} needs {needed}; set both or neither", diagnostics);
        }
    }

    /// <summary>Of other properties and the values that they may have those that are not so, as one would write them.</summary>
    private static IEnumerable<string> Missing(DeclaredMethod method, IEnumerable<IReadOnlyList<TypedConstant>> wanted)
    {
        foreach (var arguments in wanted)
        {
            if (arguments is not [{ Value: string other }, { Kind: TypedConstantKind.Array, IsNull: false, Values: var values }]
                || (values.Length == 0 ? method.IsSet(other) : values.Any(value => Equals(value.Value, method.ValueOf(other)?.Value))))
                continue;
            var names = values.Select(value => value.Kind == TypedConstantKind.Enum ? DeclarationParser.NameOf(value) : value.Value!.ToString()).ToList();
            yield return method.WrittenName(other) + (names.Count == 0 ? "" : $" = {(names.Count == 1 ? names[0] : string.Join(", ", names.Take(names.Count - 1)) + " or " + names[names.Count - 1])}");
        }
    }

    private static void CheckDistinct(DeclaredMethod method, IPropertySymbol property, DiagnosticList diagnostics)
    {
        if (DeclaredMethod.Has(property, "DistinctAttribute") && method.ValueOf(property.Name) is { } value && Numbers(value).GroupBy(n => n).FirstOrDefault(n => n.Count() > 1) is { } twice)
            Contradict(method, property.Name, $"{method.WrittenName(property.Name)} has {Text(twice.Key)} twice; leave one of them away", diagnostics);
    }

    private static void CheckAtLeastOne(DeclaredMethod method, DiagnosticList diagnostics)
    {
        if (DeclaredMethod.ArgumentsOf(method.Type, "AtLeastOneAttribute").FirstOrDefault() is not [{ Kind: TypedConstantKind.Array, IsNull: false } list])
            return;
        var names = list.Values.Select(v => v.Value).OfType<string>().ToList();
        if (names.Count > 0 && !names.Any(method.IsSet))
            Contradict(method, names.FirstOrDefault(n => method.PlaceOf(n).argument is not null) ?? names[0],
                names.Count == 1 ? $"{method.WrittenName(names[0])} is empty; give at least one" : $"none of {string.Join(", ", names.Select(method.WrittenName))} is given; give at least one", diagnostics);
    }

    private static void Contradict(DeclaredMethod method, string property, string what, DiagnosticList diagnostics) =>
        diagnostics.Add("PG044", method.Syntax.SyntaxTree, (method.PlaceOf(property).argument ?? (SyntaxNode)method.Syntax).Span, method.Name, what);

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);
}
