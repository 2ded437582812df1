using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Outlining;

/// <summary>A class of a file by names alone: nothing is bound to read it.</summary>
/// <param name="Declaration">The class, or a part of it.</param>
/// <param name="Attributes">The simple names of the attributes on this part.</param>
/// <param name="Bases">The simple names of what this part derives from.</param>
internal sealed record ClassOutline(TypeDeclarationSyntax Declaration, IReadOnlyList<string> Attributes, IReadOnlyList<string> Bases)
{
    public string Name => Declaration.Identifier.ValueText;
}

/// <summary>What a file says to the rest of its project.</summary>
internal sealed class FileOutline
{
    private readonly Lazy<string> _surface;

    public FileOutline(SyntaxTree tree, CancellationToken cancel)
    {
        Tree = tree;
        var root = (CompilationUnitSyntax)tree.GetRoot(cancel);
        _surface = new Lazy<string>(() => SurfaceOf(root));
        ReadAliases(root.Usings);
        Read(root.Members);
    }

    public SyntaxTree Tree { get; }

    /// <summary>The classes that bear attributes or derive from something.</summary>
    public List<ClassOutline> Classes { get; } = [];

    /// <summary>The aliases that the file gives to types, each of which may be a method's.</summary>
    public List<string> Aliases { get; } = [];

    /// <summary>Whether two versions of a file say the same to others: they may differ in the bodies of their members alone.</summary>
    public bool SaysTheSameAs(FileOutline other) =>
        ReferenceEquals(Tree, other.Tree) || (Tree.FilePath == other.Tree.FilePath && Tree.Options.Equals(other.Tree.Options) && _surface.Value == other._surface.Value);

    private void ReadAliases(SyntaxList<UsingDirectiveSyntax> usings)
    {
        foreach (var directive in usings)
            if (directive.Alias is { } alias)
                Aliases.Add(alias.Name.Identifier.ValueText);
    }

    private void Read(SyntaxList<MemberDeclarationSyntax> members)
    {
        foreach (var member in members)
            switch (member)
            {
                case BaseNamespaceDeclarationSyntax inner:
                    ReadAliases(inner.Usings);
                    Read(inner.Members);
                    break;
                case TypeDeclarationSyntax type:
                    if (type is ClassDeclarationSyntax or RecordDeclarationSyntax { ClassOrStructKeyword.RawKind: not (int)SyntaxKind.StructKeyword } && (type.AttributeLists.Count > 0 || type.BaseList is not null))
                        Classes.Add(new ClassOutline(
                            type,
                            [.. type.AttributeLists.SelectMany(list => list.Attributes).Select(a => SimpleNameOf(a.Name))],
                            [.. type.BaseList?.Types.Select(t => SimpleNameOf(t.Type)) ?? []]));
                    Read(type.Members);
                    break;
            }
    }

    private static string SimpleNameOf(TypeSyntax type) => type switch
    {
        SimpleNameSyntax simple => simple.Identifier.ValueText,
        QualifiedNameSyntax qualified => qualified.Right.Identifier.ValueText,
        AliasQualifiedNameSyntax qualified => qualified.Name.Identifier.ValueText,
        _ => "",
    };

    /// <summary>The text without the bodies of methods, constructors, operators and accessors.</summary>
    private static string SurfaceOf(CompilationUnitSyntax root)
    {
        var (text, result, position) = (root.SyntaxTree.GetText(), new StringBuilder(), 0);
        Cut(root.Members);
        return result.Append(text.ToString(Microsoft.CodeAnalysis.Text.TextSpan.FromBounds(position, text.Length))).ToString();

        void Cut(IEnumerable<MemberDeclarationSyntax> members)
        {
            foreach (var member in members)
                switch (member)
                {
                    case BaseNamespaceDeclarationSyntax inner:
                        Cut(inner.Members);
                        break;
                    case TypeDeclarationSyntax type:
                        Cut(type.Members);
                        break;
                    case BaseMethodDeclarationSyntax method:
                        CutBody((SyntaxNode?)method.Body ?? method.ExpressionBody?.Expression);
                        break;
                    case BasePropertyDeclarationSyntax property:
                        foreach (var accessor in property.AccessorList?.Accessors ?? default)
                            CutBody((SyntaxNode?)accessor.Body ?? accessor.ExpressionBody?.Expression);
                        CutBody((property as PropertyDeclarationSyntax)?.ExpressionBody?.Expression ?? (property as IndexerDeclarationSyntax)?.ExpressionBody?.Expression);
                        break;
                }
        }

        void CutBody(SyntaxNode? body)
        {
            // A directive in a body may have an effect on what follows.
            if (body is null || body.ContainsDirectives)
                return;
            result.Append(text.ToString(Microsoft.CodeAnalysis.Text.TextSpan.FromBounds(position, body.SpanStart)));
            // What a body leaves open would swallow what comes next.
            result.Append(body.ContainsDiagnostics ? body.ToString() : body is BlockSyntax ? "{}" : "_");
            position = body.Span.End;
        }
    }
}
