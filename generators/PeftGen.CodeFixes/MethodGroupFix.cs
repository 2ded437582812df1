using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;

namespace PeftGen.CodeFixes;

/// <summary>PG010: turns a module's method that is used as a value into a lambda that calls it.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(MethodGroupFix)), Shared]
public sealed class MethodGroupFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds => ["PG010"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var cancel = context.CancellationToken;
        var root = (await context.Document.GetSyntaxRootAsync(cancel).ConfigureAwait(false))!;
        var model = (await context.Document.GetSemanticModelAsync(cancel).ConfigureAwait(false))!;
        // PG010 also marks whole calls, which are no method groups.
        if (root.FindNode(context.Span, getInnermostNodeForTie: true) is not MemberAccessExpressionSyntax group || model.GetTypeInfo(group, cancel).ConvertedType is not INamedTypeSymbol { DelegateInvokeMethod: { } invoke })
            return;
        if (invoke.Parameters.Any(p => p.RefKind != RefKind.None))
            return;
        var taken = new HashSet<string>(group.FirstAncestorOrSelf<TypeDeclarationSyntax>()!.DescendantTokens().Where(t => t.IsKind(SyntaxKind.IdentifierToken)).Select(t => t.ValueText));
        var names = new[] { "x", "y", "z", "input" }.Concat(Enumerable.Range(1, int.MaxValue - 1).Select(i => "input" + i))
            .Where(n => !taken.Contains(n)).Take(invoke.Parameters.Length).ToList();
        var list = string.Join(", ", names);
        var lambda = $"{(names.Count == 1 ? list : $"({list})")} => {group}({list})";
        var text = await context.Document.GetTextAsync(cancel).ConfigureAwait(false);
        context.RegisterCodeFix(
            CodeAction.Create(
                "Write a lambda that calls it",
                _ => Task.FromResult(context.Document.WithText(text.WithChanges(new TextChange(group.Span, lambda)))),
                nameof(MethodGroupFix)),
            context.Diagnostics);
    }
}
