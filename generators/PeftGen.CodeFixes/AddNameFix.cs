using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace PeftGen.CodeFixes;

/// <summary>PG026: gives a field the path under which the constructor registers it.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AddNameFix)), Shared]
public sealed class AddNameFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds => ["PG026"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        var model = await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false);
        var call = root?.FindNode(context.Span).FirstAncestorOrSelf<InvocationExpressionSyntax>();
        if (model is null || call is not { ArgumentList.Arguments.Count: 2 } || call.ArgumentList.Arguments[0].Expression is not LiteralExpressionSyntax name)
            return;
        var symbol = model.GetSymbolInfo(call.ArgumentList.Arguments[1].Expression, context.CancellationToken).Symbol;
        var syntax = symbol?.DeclaringSyntaxReferences.FirstOrDefault()?.GetSyntax(context.CancellationToken);
        // One attribute on several variables would give them all one path.
        if (syntax?.FirstAncestorOrSelf<MemberDeclarationSyntax>() is not { } member || member is FieldDeclarationSyntax { Declaration.Variables.Count: > 1 } || member.SyntaxTree != root!.SyntaxTree)
            return;
        context.RegisterCodeFix(
            CodeAction.Create($"Add [Name({name.Token.Text})] to {symbol!.Name}", cancel => AddAsync(context.Document, model, member, name.Token.Text, cancel), nameof(AddNameFix)),
            context.Diagnostics);
    }

    private static async Task<Document> AddAsync(Document document, SemanticModel model, MemberDeclarationSyntax member, string name, CancellationToken cancel)
    {
        var text = await document.GetTextAsync(cancel).ConfigureAwait(false);
        var line = text.Lines.GetLineFromPosition(member.SpanStart);
        var blanks = text.ToString(TextSpan.FromBounds(line.Start, member.SpanStart));
        var newLine = line.EndIncludingLineBreak > line.End ? text.ToString(TextSpan.FromBounds(line.End, line.EndIncludingLineBreak)) : "\n";
        var attribute = model.LookupNamespacesAndTypes(member.SpanStart, name: "NameAttribute").Any(t => t.ContainingNamespace.Name == "PeftGen") ? "Name" : "PeftGen.Name";
        return document.WithText(text.Replace(member.SpanStart, 0, $"[{attribute}({name})]{newLine}{(string.IsNullOrWhiteSpace(blanks) ? blanks : "")}"));
    }
}
