using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;

namespace PeftGen.Generators.Parsing;

/// <summary>Names that occur nowhere in a class.</summary>
internal static class FreeNames
{
    public static NameModel For(ModelClass type)
    {
        var taken = Identifiers(type);
        return new NameModel(
            First(taken, "adapter", "adapterNode", "peftAdapter"),
            First(taken, "context", "forwardContext", "peftContext"),
            First(taken, "options", "forwardOptions", "peftOptions"),
            First(taken, "hook"),
            First(taken, "changed"),
            First(taken, "result"),
            Prefix(taken, "input", "argument", "peftInput"),
            Prefix(taken, "node", "adapterOf", "peftNode"),
            First(taken, "forwardOnce"),
            First(taken, "again"),
            First(taken, "inputs"),
            First(taken, "TModel", "TAdapted", "TPeft"));
    }

    private static string Prefix(HashSet<string> taken, params string[] names) =>
        names.First(n => n == names[names.Length - 1] || !taken.Any(t => t.StartsWith(n, StringComparison.Ordinal)));

    public static string Field(ModelClass type, string name) => First(Identifiers(type), name, name + "Record", "peft" + name);

    /// <summary>All identifiers in the declarations of a class.</summary>
    public static HashSet<string> Words(INamedTypeSymbol type) => new(
        type.DeclaringSyntaxReferences.SelectMany(r => r.GetSyntax().DescendantTokens()).Where(t => t.IsKind(SyntaxKind.IdentifierToken)).Select(t => t.ValueText));

    private static HashSet<string> Identifiers(ModelClass type) => new(type.Lineage.SelectMany(t => Words(t.Symbol)));

    private static string First(HashSet<string> taken, params string[] names) =>
        names.FirstOrDefault(n => !taken.Contains(n)) ?? Enumerable.Range(2, int.MaxValue - 2).Select(i => names[0] + i).First(n => !taken.Contains(n));
}

/// <summary>Names of generated files: readable, unique, bounded.</summary>
internal static class HintNames
{
    private const int Longest = 120;

    public static string For(INamedTypeSymbol type)
    {
        var name = DeclarationParser.MetadataName(type).Replace('+', '.').Replace('`', '_');
        if (name.Length > Longest)
            name = name.Substring(name.Length - Longest + 9) + "_" + Hash(name);
        return name + ".g.cs";
    }

    private static string Hash(string text)
    {
        var hash = text.Aggregate(2166136261u, (h, c) => unchecked((h ^ c) * 16777619u));
        return hash.ToString("x8", System.Globalization.CultureInfo.InvariantCulture);
    }
}

/// <summary>The namespaces around a class with the usings that its code sees.</summary>
internal static class Scopes
{
    /// <summary>The scopes of the first part, with the usings of all parts whose bodies are copied.</summary>
    public static IEnumerable<ScopeModel> Of(IReadOnlyList<TypeDeclarationSyntax> parts)
    {
        var chains = parts.Select(Chain).ToList();
        for (var depth = 0; depth < chains[0].Count; depth++)
        {
            var (name, fileScoped, _) = chains[0][depth];
            var usings = chains.Where(c => c.Count > depth && c[depth].name == name).SelectMany(c => c[depth].usings).Distinct();
            yield return new ScopeModel(name, fileScoped, usings.ToEquatable());
        }
    }

    private static List<(string? name, bool fileScoped, List<string> usings)> Chain(TypeDeclarationSyntax type)
    {
        var chain = new List<(string?, bool, List<string>)>();
        for (SyntaxNode? node = type.Parent; node is not null; node = node.Parent)
        {
            if (node is BaseNamespaceDeclarationSyntax ns)
                chain.Add((ns.Name.ToString(), ns is FileScopedNamespaceDeclarationSyntax, Usings(ns.Externs, ns.Usings)));
            else if (node is CompilationUnitSyntax unit)
                chain.Add((null, false, Usings(unit.Externs, unit.Usings)));
        }

        chain.Reverse();
        return chain;
    }

    private static List<string> Usings(SyntaxList<ExternAliasDirectiveSyntax> externs, SyntaxList<UsingDirectiveSyntax> usings) =>
        [.. externs.Select(e => e.WithoutTrivia().ToString()), .. usings.Where(u => u.GlobalKeyword.IsKind(SyntaxKind.None)).Select(u => u.WithoutTrivia().ToString())];
}
