using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using PeftGen.Generators.Diagnostics;

namespace PeftGen.CodeFixes;

/// <summary>PG039: tells the parts of a layer of which a target means some.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(AddFusedFix)), Shared]
public sealed class AddFusedFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds => ["PG039"];

    /// <inheritdoc/>
    public override FixAllProvider GetFixAllProvider() => WellKnownFixAllProviders.BatchFixer;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var diagnostic = context.Diagnostics[0];
        if (!diagnostic.Properties.TryGetValue(DiagnosticProperties.Fused, out var parts) || diagnostic.AdditionalLocations.FirstOrDefault() is not { SourceTree: { } tree } field
            || context.Document.Project.Solution.GetDocument(tree) is not { } document)
            return;
        var root = await tree.GetRootAsync(context.CancellationToken).ConfigureAwait(false);
        var arguments = string.Join(", ", parts!.Split(',').Select(part => $"\"{part}\""));
        if (AttributeInsertion.MemberOf(root.FindNode(field.SourceSpan)) is { } member)
            context.RegisterCodeFix(
                CodeAction.Create($"Add [Fused({arguments})] to {tree.GetText(context.CancellationToken).ToString(field.SourceSpan).Split(' ', '=')[0]}",
                    cancel => AttributeInsertion.AddAsync(document, member, "Fused", arguments, cancel), nameof(AddFusedFix)), diagnostic);
    }
}
