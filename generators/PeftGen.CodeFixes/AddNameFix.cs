using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Diagnostics;

namespace PeftGen.CodeFixes;

/// <summary>PG026: gives a field the path under which the constructor registers it. PG001: gives a field the name by which a target means it, where they differ only in how names are written.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AddNameFix)), Shared]
public sealed class AddNameFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds => ["PG026", "PG001"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var diagnostic = context.Diagnostics[0];
        var (symbol, literal) = diagnostic.Id == "PG026"
            ? await RegisteredAsync(context).ConfigureAwait(false)
            : (diagnostic.AdditionalLocations.FirstOrDefault(), diagnostic.Properties.TryGetValue(DiagnosticProperties.Name, out var name) ? $"\"{name}\"" : null);
        if (literal is not null && await MarkedPlace.FindAsync(context, symbol).ConfigureAwait(false) is var (document, declaration) && AttributeInsertion.MemberOf(declaration) is { } member)
            context.RegisterCodeFix(
                CodeAction.Create($"Add [Name({literal})] to {AttributeInsertion.NameOf(declaration)}", cancel => AttributeInsertion.AddAsync(document, member, "Name", literal, cancel), nameof(AddNameFix)), diagnostic);
    }

    /// <summary>The field that <c>register_module("name", field)</c> registers, and the name.</summary>
    private static async Task<(Location? field, string? literal)> RegisteredAsync(CodeFixContext context)
    {
        var root = await context.Document.GetSyntaxRootAsync(context.CancellationToken).ConfigureAwait(false);
        var model = await context.Document.GetSemanticModelAsync(context.CancellationToken).ConfigureAwait(false);
        var call = root?.FindNode(context.Span).FirstAncestorOrSelf<InvocationExpressionSyntax>();
        if (model is null || call is not { ArgumentList.Arguments.Count: 2 } || call.ArgumentList.Arguments[0].Expression is not LiteralExpressionSyntax name)
            return default;
        var declaration = model.GetSymbolInfo(call.ArgumentList.Arguments[1].Expression, context.CancellationToken).Symbol?.DeclaringSyntaxReferences.FirstOrDefault();
        return (declaration?.SyntaxTree.GetLocation(declaration.Span), name.Token.Text);
    }
}
