using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Places below a root that look like sites, for the fix that marks them as such.</summary>
internal sealed class SiteHints(BodyScanner scanner, PlaceWalker walker)
{
    private IEnumerable<ModelClass> Types => walker.Places.Where(p => p.Kind == PlaceKind.Module).SelectMany(p => p.Owner.Lineage).Distinct();

    /// <summary>What to say about the sums that are no residuals; empty: there are none.</summary>
    public string SumsLookedAt()
    {
        const int most = 6;
        var sums = Types.SelectMany(scanner.OtherSumsOf).OrderByDescending(s => s.HasOutput).ThenBy(s => s.Syntax.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(s => s.Syntax.SpanStart).ToList();
        return sums.Count == 0 ? "" : $". Sums that are no residuals: {string.Join("; ", sums.Take(most))}{(sums.Count > most ? $"; and {sums.Count - most} more" : "")}";
    }

    /// <summary>Sums with a residual, or calls of attention.</summary>
    public IEnumerable<SyntaxNode> For(SiteKind kind)
    {
        if (kind == SiteKind.Residual)
            return Types.SelectMany(scanner.OtherSumsOf).Where(sum => sum.HasOutput && sum.Syntax is BinaryExpressionSyntax).Select(sum => (SyntaxNode)sum.Syntax).OrderBy(n => n.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(n => n.SpanStart);
        var scans = Types.SelectMany(scanner.Scan).ToList();
        return scans.SelectMany(scan => kind switch
        {
            SiteKind.Attention => Attentions(scan),
            _ => [],
        }).OrderBy(n => n.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(n => n.SpanStart);
    }

    /// <summary><c>functional.scaled_dot_product_attention(q, k, v, mask)</c> on variables, where no mask of its own hides what is put in front.</summary>
    private static IEnumerable<SyntaxNode> Attentions(MethodScan scan) => scan.Syntax.DescendantNodes().OfType<InvocationExpressionSyntax>()
        .Where(call => call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "scaled_dot_product_attention" } or IdentifierNameSyntax { Identifier.ValueText: "scaled_dot_product_attention" }
            && call.ArgumentList.Arguments is { Count: 3 or 4 } arguments && arguments.All(a => a.NameColon is null) && arguments.Take(3).All(a => a.Expression is IdentifierNameSyntax));
}
