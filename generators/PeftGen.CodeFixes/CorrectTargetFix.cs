using System.Collections.Immutable;
using System.Composition;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeActions;
using Microsoft.CodeAnalysis.CodeFixes;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Diagnostics;

namespace PeftGen.CodeFixes;

/// <summary>PG001: replaces a target that matches nothing by a name that does, or by the path that a field has in checkpoints. PG045, PG048: replaces a name that a method or a pattern does not know by one that there is.</summary>
[ExportCodeFixProvider(LanguageNames.CSharp, Name = nameof(CorrectTargetFix)), Shared]
public sealed class CorrectTargetFix : CodeFixProvider
{
    /// <inheritdoc/>
    public override ImmutableArray<string> FixableDiagnosticIds => ["PG001", "PG045", "PG048"];

    // What is meant by a name that does not exist is for a person to say, one by one.
    /// <inheritdoc/>
    public override FixAllProvider? GetFixAllProvider() => null;

    /// <inheritdoc/>
    public override async Task RegisterCodeFixesAsync(CodeFixContext context)
    {
        var text = await context.Document.GetTextAsync(context.CancellationToken).ConfigureAwait(false);
        foreach (var diagnostic in context.Diagnostics)
        {
            var span = diagnostic.Location.SourceSpan;
            if (!diagnostic.Properties.TryGetValue(DiagnosticProperties.Suggestions, out var suggestions)
                || !diagnostic.Properties.TryGetValue(DiagnosticProperties.Target, out var target)
                // Where the list comes from elsewhere, a constant perhaps, the mark is not the target's own characters.
                || text.ToString(span) != target)
                continue;
            foreach (var suggestion in suggestions!.Split(','))
                context.RegisterCodeFix(
                    CodeAction.Create(
                        $"Change to '{suggestion}'",
                        _ => Task.FromResult(context.Document.WithText(text.WithChanges(new TextChange(span, suggestion)))),
                        $"{nameof(CorrectTargetFix)} {suggestion}"),
                    diagnostic);
        }
    }
}
