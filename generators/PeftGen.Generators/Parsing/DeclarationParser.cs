using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Checks;

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
            ValueChecks.Run(method, diagnostics);
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

    private static void ReadClaims(DeclaredMethod method, DiagnosticList diagnostics)
    {
        foreach (var property in DeclaredMethod.Properties(method.Type))
        {
            var value = method.ValueOf(property.Name);
            foreach (var adapts in DeclaredMethod.AttributesOf(property, "AdaptsAttribute"))
            {
                if (property.Type.SpecialType == SpecialType.System_String && value is { IsNull: true } && property.NullableAnnotation == NullableAnnotation.NotAnnotated)
                    diagnostics.Add("PG007", method.Syntax.SyntaxTree, method.PlaceOf(property.Name).span, $"{method.WrittenName(property.Name)} of {method.Name} is null, expected names separated by commas, for example 'q_proj,v_proj', or '{TargetList.AllLinear}'");
                else if (property.Type.SpecialType == SpecialType.System_String && value?.Value is string targets)
                    Read(method, property.Name, adapts, targets, diagnostics, isWritten: method.PlaceOf(property.Name).argument is not null);
                else if (property.Type.SpecialType != SpecialType.System_String && value is { } given && !DeclaredMethod.IsNothing(given))
                    Read(method, property.Name, adapts, TargetsOf(adapts), diagnostics);
            }

            if (property.Type.TypeKind != TypeKind.Enum || value?.Value is not { } chosen)
                continue;
            foreach (var member in property.Type.GetMembers().OfType<IFieldSymbol>().Where(f => Equals(f.ConstantValue, chosen)))
                foreach (var adapts in DeclaredMethod.AttributesOf(member, "AdaptsAttribute"))
                    Read(method, property.Name, adapts, TargetsOf(adapts), diagnostics);
        }
    }

    private static void Read(DeclaredMethod method, string property, AttributeData adapts, string text, DiagnosticList diagnostics, bool isWritten = false)
    {
        if (!TargetList.TryParse(text, out var targets, out var error))
        {
            diagnostics.Add("PG007", method.Syntax.SyntaxTree, DeclaredClaim.SpanIn(method, property, error.Start, error.Length), error.Message);
            return;
        }

        var hosts = DeclaredMethod.Named(adapts, "Hosts") is { Kind: TypedConstantKind.Array } array ? array.Values.Select(v => v.Value).OfType<INamedTypeSymbol>().ToList() : [];
        method.Claims.Add(new DeclaredClaim(method, property, (SiteKind)(int)adapts.ConstructorArguments[0].Value!, targets, hosts, DeclaredMethod.Named(adapts, "Optional")?.Value is true, DeclaredMethod.Named(adapts, "TakesParts")?.Value is true)
        {
            IsWritten = isWritten,
            MergesForAll = DeclaredMethod.Named(adapts, "MergesForAll")?.Value is true,
            Inputs = DeclaredMethod.Named(adapts, "Inputs") is { Kind: TypedConstantKind.Array } roles ? [.. roles.Values.Select(NameOf)] : [],
            Needs = DeclaredMethod.Named(adapts, "Needs")?.Value as string,
            NeedsUnless = DeclaredMethod.Named(adapts, "NeedsUnless")?.Value as string,
            Exclusive = DeclaredMethod.Named(adapts, "Exclusive")?.Value as string,
            IsSingle = DeclaredMethod.Named(adapts, "Single")?.Value is true,
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

    /// <summary>The name of an enum's member.</summary>
    public static string NameOf(TypedConstant value) => value.Type!.GetMembers().OfType<IFieldSymbol>().FirstOrDefault(f => Equals(f.ConstantValue, value.Value))?.Name ?? value.Value?.ToString() ?? "null";

    private static string TargetsOf(AttributeData adapts) => DeclaredMethod.Named(adapts, "Targets")?.Value as string ?? "";
}
