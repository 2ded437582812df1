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
        if (!diagnostic.Properties.TryGetValue(DiagnosticProperties.Fused, out var parts)
            || await MarkedPlace.FindAsync(context, diagnostic.AdditionalLocations.FirstOrDefault()).ConfigureAwait(false) is not var (document, field))
            return;
        var arguments = string.Join(", ", parts!.Split(',').Select(part => $"\"{part}\""));
        if (AttributeInsertion.MemberOf(field) is { } member)
            context.RegisterCodeFix(
                CodeAction.Create($"Add [Fused({arguments})] to {AttributeInsertion.NameOf(field)}",
                    cancel => AttributeInsertion.AddAsync(document, member, "Fused", arguments, cancel), nameof(AddFusedFix)), diagnostic);
    }
}
