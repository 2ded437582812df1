using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CodeFixes;

namespace PeftGen.CodeFixes;

/// <summary>Finds what a diagnostic points at beside its own place, perhaps in another document.</summary>
internal static class MarkedPlace
{
    /// <summary>The document and the innermost node at a place; null: it is in none of the solution's documents.</summary>
    public static async Task<(Document document, SyntaxNode node)?> FindAsync(CodeFixContext context, Location? place)
    {
        if (place?.SourceTree is not { } tree || context.Document.Project.Solution.GetDocument(tree) is not { } document)
            return null;
        var root = await tree.GetRootAsync(context.CancellationToken).ConfigureAwait(false);
        return (document, root.FindNode(place.SourceSpan, getInnermostNodeForTie: true));
    }
}
