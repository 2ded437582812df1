using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Diagnostics;

namespace PeftGen.CodeFixes;

/// <summary>PG042: says what a parameter of the model's is.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AddInputFix)), Shared]
public sealed class AddInputFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds => ["PG042"];

    // Which parameter is meant is for a person to say, one by one.
    /// <inheritdoc/>
    public override FixAllProvider? GetFixAllProvider() => null;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var diagnostic = context.Diagnostics[0];
        if (diagnostic.Properties.TryGetValue(DiagnosticProperties.Input, out var role)
            && await MarkedPlace.FindAsync(context, diagnostic.AdditionalLocations.FirstOrDefault()).ConfigureAwait(false) is (var document, ParameterSyntax parameter))
            context.RegisterCodeFix(
                CodeAction.Create($"Add [Input(InputRole.{role})] to {parameter.Identifier.ValueText}", cancel => AddAsync(document, parameter, role!, cancel), nameof(AddInputFix)), diagnostic);
    }

    private static async Task<Document> AddAsync(Document document, ParameterSyntax parameter, string role, CancellationToken cancel)
    {
        var text = await document.GetTextAsync(cancel).ConfigureAwait(false);
        var model = (await document.GetSemanticModelAsync(cancel).ConfigureAwait(false))!;
        string NameOf(string name, string suffix = "") => AttributeInsertion.NameAt(model, parameter.SpanStart, name, suffix);
        return document.WithText(text.Replace(parameter.SpanStart, 0, $"[{NameOf("Input", "Attribute")}({NameOf("InputRole")}.{role})] "));
    }
}
