using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Reads the attributes of methods off classes.</summary>
internal static class DeclarationParser
{
    /// <summary>The methods that a class declares, in the order of its attributes; of several files, in the order of their paths.</summary>
    public static List<DeclaredMethod> Parse(INamedTypeSymbol type, KnownTypes known, DiagnosticList diagnostics)
    {
        var methods = new List<DeclaredMethod>();
        foreach (var data in type.GetAttributes().OrderBy(a => a.ApplicationSyntaxReference?.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(a => a.ApplicationSyntaxReference?.Span.Start))
        {
            if (data.AttributeClass is null || !KnownTypes.DerivesFrom(data.AttributeClass, known.Adapt) || data.AttributeConstructor is null)
                continue;
            var method = new DeclaredMethod(data, (AttributeSyntax)data.ApplicationSyntaxReference!.GetSyntax());
            CheckRanges(method, diagnostics);
            ReadClaims(method, diagnostics);
            methods.Add(method);
        }

        return methods;
    }

    public static string MetadataName(INamedTypeSymbol type) =>
        type.ContainingType is { } outer ? $"{MetadataName(outer)}+{type.MetadataName}"
        : type.ContainingNamespace.IsGlobalNamespace ? type.MetadataName
        : $"{NamespaceOf(type.ContainingNamespace)}.{type.MetadataName}";

    // Display strings escape keywords, which metadata does not.
    private static string NamespaceOf(INamespaceSymbol symbol) =>
        symbol.ContainingNamespace.IsGlobalNamespace ? symbol.Name : $"{NamespaceOf(symbol.ContainingNamespace)}.{symbol.Name}";

    private static void CheckRanges(DeclaredMethod method, DiagnosticList diagnostics)
    {
        var places = method.Data.AttributeConstructor!.Parameters.Cast<ISymbol>().Concat(DeclaredMethod.Properties(method.Type));
        var seen = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (var place in places)
        {
            if (DeclaredMethod.AttributesOf(place, "InRangeAttribute").FirstOrDefault() is not { } range || !seen.Add(place.Name))
                continue;
            if (method.ValueOf(place.Name)?.Value is not IConvertible value || value is string)
                continue;
            var number = value.ToDouble(CultureInfo.InvariantCulture);
            var (min, max) = ((double)range.ConstructorArguments[0].Value!, (double)range.ConstructorArguments[1].Value!);
            // As one writes it in the attribute.
            var name = method.Data.AttributeConstructor!.Parameters.FirstOrDefault(p => string.Equals(p.Name, place.Name, StringComparison.OrdinalIgnoreCase))?.Name ?? place.Name;
            if (!(number >= min && number <= max))
                diagnostics.Add("PG006", method.Syntax.SyntaxTree, method.PlaceOf(name).span, name, Text(number), method.Name, Text(min), Text(max));
        }
    }

    private static void ReadClaims(DeclaredMethod method, DiagnosticList diagnostics)
    {
        foreach (var property in DeclaredMethod.Properties(method.Type))
        {
            var value = method.ValueOf(property.Name);
            foreach (var adapts in DeclaredMethod.AttributesOf(property, "AdaptsAttribute"))
            {
                if (property.Type.SpecialType == SpecialType.System_String && value?.Value is string targets)
                    Read(method, property.Name, adapts, targets, diagnostics);
                else if (property.Type.SpecialType != SpecialType.System_String && value is { } given && !IsDefault(given))
                    Read(method, property.Name, adapts, TargetsOf(adapts), diagnostics);
            }

            if (property.Type.TypeKind != TypeKind.Enum || value?.Value is not { } chosen)
                continue;
            foreach (var member in property.Type.GetMembers().OfType<IFieldSymbol>().Where(f => Equals(f.ConstantValue, chosen)))
                foreach (var adapts in DeclaredMethod.AttributesOf(member, "AdaptsAttribute"))
                    Read(method, property.Name, adapts, TargetsOf(adapts), diagnostics);
        }
    }

    private static void Read(DeclaredMethod method, string property, AttributeData adapts, string text, DiagnosticList diagnostics)
    {
        if (!TargetList.TryParse(text, out var targets, out var error))
        {
            diagnostics.Add("PG007", method.Syntax.SyntaxTree, DeclaredClaim.SpanIn(method, property, error.Start, error.Length), error.Message);
            return;
        }

        var hosts = Named(adapts, "Hosts") is { Kind: TypedConstantKind.Array } array ? array.Values.Select(v => v.Value).OfType<INamedTypeSymbol>().ToList() : [];
        method.Claims.Add(new DeclaredClaim(method, property, (SiteKind)(int)adapts.ConstructorArguments[0].Value!, targets, hosts, Named(adapts, "Optional")?.Value is true, Named(adapts, "TakesParts")?.Value is true)
        {
            MergesForAll = Named(adapts, "MergesForAll")?.Value is true,
            Exclusive = Named(adapts, "Exclusive")?.Value as string,
            IsSingle = Named(adapts, "Single")?.Value is true,
            LeftOut = ValuesBeside("LeavesOutAttribute").Select(v => v.Kind != TypedConstantKind.Array && v.Value is string left && TargetList.TryParse(left, out var list, out _) ? list : null).FirstOrDefault(list => list is not null),
            IsOfSomeBlocks = ValuesBeside("LeavesOutAttribute").Concat(ValuesBeside("BlocksAttribute")).Any(v => v is { Kind: TypedConstantKind.Array, IsNull: false }),
        });

        // The values of properties that say something about the targets of this one.
        IEnumerable<TypedConstant> ValuesBeside(string attribute) =>
            from other in DeclaredMethod.Properties(method.Type)
            where DeclaredMethod.AttributesOf(other, attribute).Any(a => a.ConstructorArguments is [{ Value: string name }] && name == property)
            let value = method.ValueOf(other.Name)
            where value is not null
            select value.Value;
    }

    private static string TargetsOf(AttributeData adapts) => Named(adapts, "Targets")?.Value as string ?? "";

    private static TypedConstant? Named(AttributeData data, string name)
    {
        foreach (var argument in data.NamedArguments)
            if (argument.Key == name)
                return argument.Value;
        return null;
    }

    private static bool IsDefault(TypedConstant value) =>
        value.Kind == TypedConstantKind.Array ? value.IsNull || value.Values.Length == 0 : value.Value is null or false or 0;

    private static string Text(double number) => number.ToString("R", CultureInfo.InvariantCulture);
}
