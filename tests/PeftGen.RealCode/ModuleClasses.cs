using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace PeftGen.RealCode;

/// <summary>A class that derives from torch.nn.Module.</summary>
/// <param name="Name">Its full name.</param>
/// <param name="Declaration">Its first declaration.</param>
/// <param name="Parts">Where all its parts stand.</param>
internal sealed record ModuleClass(string Name, ClassDeclarationSyntax Declaration, IReadOnlyList<FileLines> Parts);

/// <summary>Finds module classes and edits their declarations, in memory and without moving a line.</summary>
internal static class ModuleClasses
{
    /// <summary>All module classes of a project, in the order of the code.</summary>
    public static IReadOnlyList<ModuleClass> Find(CSharpCompilation compilation)
    {
        var module = compilation.GetTypeByMetadataName("TorchSharp.torch+nn+Module") ?? throw new InvalidOperationException("TorchSharp is not among the references.");
        var found = new Dictionary<INamedTypeSymbol, ModuleClass>(SymbolEqualityComparer.Default);
        foreach (var tree in compilation.SyntaxTrees)
        {
            var semantics = compilation.GetSemanticModel(tree);
            foreach (var declaration in tree.GetRoot().DescendantNodes().OfType<ClassDeclarationSyntax>())
            {
                if (semantics.GetDeclaredSymbol(declaration) is { } type && DerivesFrom(type, module))
                    found.TryAdd(type, new ModuleClass(type.ToDisplayString(), declaration, [.. type.DeclaringSyntaxReferences.Select(r => LinesOf(r.GetSyntax()))]));
            }
        }

        return [.. found.Values];
    }

    /// <summary>The project with all module classes, and the types around them, declared partial.</summary>
    public static CSharpCompilation MakePartial(CSharpCompilation compilation)
    {
        var types = Find(compilation).Select(c => compilation.GetSemanticModel(c.Declaration.SyntaxTree).GetDeclaredSymbol(c.Declaration)!)
            .SelectMany(type => Enclosing(type)).SelectMany(type => type.DeclaringSyntaxReferences).Select(r => r.GetSyntax()).OfType<TypeDeclarationSyntax>().Distinct();
        foreach (var group in types.Where(t => !t.Modifiers.Any(SyntaxKind.PartialKeyword)).ToLookup(t => t.SyntaxTree))
            compilation = Edit(compilation, group.Key, group.Select(t => new TextChange(new TextSpan(t.Keyword.SpanStart, 0), "partial ")));
        return compilation;
    }

    /// <summary>The project with an attribute on one class.</summary>
    public static CSharpCompilation Annotate(CSharpCompilation compilation, ModuleClass root, string attribute) =>
        Edit(compilation, root.Declaration.SyntaxTree, [new TextChange(new TextSpan(root.Declaration.SpanStart, 0), $"[{attribute}] ")]);

    private static CSharpCompilation Edit(CSharpCompilation compilation, SyntaxTree tree, IEnumerable<TextChange> changes) =>
        compilation.ReplaceSyntaxTree(tree, tree.WithChangedText(tree.GetText().WithChanges(changes.OrderBy(c => c.Span.Start))));

    private static IEnumerable<INamedTypeSymbol> Enclosing(INamedTypeSymbol? type)
    {
        for (; type is not null; type = type.ContainingType)
            yield return type;
    }

    private static FileLines LinesOf(SyntaxNode part)
    {
        var lines = part.GetLocation().GetMappedLineSpan();
        return new FileLines(lines.Path, lines.StartLinePosition.Line + 1, lines.EndLinePosition.Line + 1);
    }

    private static bool DerivesFrom(INamedTypeSymbol type, INamedTypeSymbol module)
    {
        for (var at = type.BaseType; at is not null; at = at.BaseType)
        {
            if (SymbolEqualityComparer.Default.Equals(at, module))
                return true;
        }

        return false;
    }
}
