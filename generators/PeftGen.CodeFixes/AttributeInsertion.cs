using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace PeftGen.CodeFixes;

/// <summary>Puts an attribute of PeftGen's on a line of its own above a field.</summary>
internal static class AttributeInsertion
{
    /// <summary>The field or property that declares a symbol; null where one attribute would stand for several variables.</summary>
    public static MemberDeclarationSyntax? MemberOf(SyntaxNode? declaration) =>
        declaration?.FirstAncestorOrSelf<MemberDeclarationSyntax>() is { } member && member is not FieldDeclarationSyntax { Declaration.Variables.Count: > 1 } ? member : null;

    /// <summary>What a field or property is called.</summary>
    public static string NameOf(SyntaxNode declaration) => declaration switch
    {
        VariableDeclaratorSyntax variable => variable.Identifier.ValueText,
        PropertyDeclarationSyntax property => property.Identifier.ValueText,
        _ => "the field",
    };

    /// <summary>Adds it.</summary>
    public static async Task<Document> AddAsync(Document document, MemberDeclarationSyntax member, string name, string arguments, CancellationToken cancel)
    {
        var text = await document.GetTextAsync(cancel).ConfigureAwait(false);
        var model = (await document.GetSemanticModelAsync(cancel).ConfigureAwait(false))!;
        var line = text.Lines.GetLineFromPosition(member.SpanStart);
        var blanks = text.ToString(TextSpan.FromBounds(line.Start, member.SpanStart));
        var newLine = line.EndIncludingLineBreak > line.End ? text.ToString(TextSpan.FromBounds(line.End, line.EndIncludingLineBreak)) : "\n";
        return document.WithText(text.Replace(member.SpanStart, 0, $"[{NameAt(model, member.SpanStart, name, "Attribute")}({arguments})]{newLine}{(string.IsNullOrWhiteSpace(blanks) ? blanks : "")}"));
    }

    /// <summary>How a type of PeftGen's is called at a place.</summary>
    public static string NameAt(SemanticModel model, int position, string name, string suffix = "") =>
        model.LookupNamespacesAndTypes(position, name: name + suffix).Any(t => t.ContainingNamespace.Name == "PeftGen") ? name : $"PeftGen.{name}";
}
