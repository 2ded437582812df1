using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Places below a root that look like sites, for the fix that marks them as such.</summary>
internal sealed class SiteHints(BodyScanner scanner, PlaceWalker walker)
{
    /// <summary>Sums with a residual, or calls of attention.</summary>
    public IEnumerable<SyntaxNode> For(SiteKind kind)
    {
        var scans = walker.Places.Where(p => p.Kind == PlaceKind.Module).SelectMany(p => p.Owner.Lineage).Distinct().SelectMany(scanner.Scan).ToList();
        return scans.SelectMany(scan => kind switch
        {
            SiteKind.Residual when scan.Symbol.Name == "forward" => Sums(scan),
            SiteKind.Attention => Attentions(scan),
            _ => [],
        }).OrderBy(n => n.SyntaxTree.FilePath, StringComparer.Ordinal).ThenBy(n => n.SpanStart);
    }

    /// <summary><c>x + mlp.forward(x)</c>, <c>residual + h</c> after <c>h = mlp.forward(h)</c>.</summary>
    private static IEnumerable<SyntaxNode> Sums(MethodScan scan) => scan.Syntax.DescendantNodes().OfType<BinaryExpressionSyntax>()
        .Where(sum => sum.IsKind(SyntaxKind.AddExpression) && IsOutput(scan, sum.Left) != IsOutput(scan, sum.Right) && (sum.Left is IdentifierNameSyntax || sum.Right is IdentifierNameSyntax));

    /// <summary>Whether an expression is what a sub-layer returns, at once or through a variable.</summary>
    private static bool IsOutput(MethodScan scan, ExpressionSyntax expression)
    {
        if (scan.Uses.Any(use => use is LayerUse or NodeUse or SelfUse && use.Node == expression))
            return true;
        return expression is IdentifierNameSyntax { Identifier.ValueText: var name } && Assignments.Last(scan.Syntax, name, expression.SpanStart) is { } value && value is not IdentifierNameSyntax && IsOutput(scan, value);
    }

    /// <summary><c>functional.scaled_dot_product_attention(q, k, v, mask)</c> on variables, where no mask of its own hides what is put in front.</summary>
    private static IEnumerable<SyntaxNode> Attentions(MethodScan scan) => scan.Syntax.DescendantNodes().OfType<InvocationExpressionSyntax>()
        .Where(call => call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "scaled_dot_product_attention" } or IdentifierNameSyntax { Identifier.ValueText: "scaled_dot_product_attention" }
            && call.ArgumentList.Arguments is { Count: 3 or 4 } arguments && arguments.All(a => a.NameColon is null) && arguments.Take(3).All(a => a.Expression is IdentifierNameSyntax));
}
