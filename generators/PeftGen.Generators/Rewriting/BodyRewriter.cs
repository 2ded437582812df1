using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>Rewrites one body by edits of its text, so that everything else stays as the user wrote it, line for line.</summary>
internal sealed class BodyRewriter(Reachability reach, SiteNames sites, NameModel names, EmittedNames emitted, ModelGraph graph, BodyScanner scanner, DiagnosticList diagnostics)
{
    /// <summary>The rewritten body. One that cannot be followed throws: it never runs as the base in silence.</summary>
    public BodyText Rewrite(MethodScan method)
    {
        var body = new RewrittenBody(new AdapterPaths(names, emitted, graph, reach, scanner), reach, sites, names, emitted, scanner, diagnostics);
        Rewrite(body, method.Uses.Where(use => use is PositionsUse || reach.Concerns(method, use)).Select(reach.Settle));
        if (body.IsRefused)
            return new BodyText("throw new global::System.NotSupportedException(\"This method could not be compiled; PG010 says why.\");", IsExpression: true, null);
        var span = method.Syntax.ExpressionBody is { } arrow
            ? TextSpan.FromBounds(arrow.Expression.SpanStart, method.Syntax.SemicolonToken.Span.End)
            : method.Syntax.Body!.Span;
        // Directives are obeyed already, and their other halves may stand outside.
        foreach (var trivia in method.Syntax.DescendantTrivia(span).Where(t => span.Contains(t.FullSpan) && (t.IsDirective || t.IsKind(SyntaxKind.DisabledTextTrivia))))
            body.Edits.Blank(trivia.FullSpan);
        var text = method.Syntax.SyntaxTree.GetText();
        return new BodyText(body.Edits.Apply(text.ToString(span), span.Start), method.Syntax.ExpressionBody is not null, OriginOf(method.Syntax.SyntaxTree.FilePath, text, span));
    }

    private static void Rewrite(RewrittenBody body, IEnumerable<Use> uses)
    {
        var calls = new CallRewriter(body);
        var values = new ValueRewriter(body);
        var sites = new SiteRewriter(body, calls);
        foreach (var use in uses)
            switch (use)
            {
                case LayerUse layer:
                    calls.Rewrite(layer);
                    break;
                case NodeUse node:
                    calls.Rewrite(node);
                    break;
                case SelfUse self:
                    calls.Rewrite(self);
                    break;
                case ParameterUse parameter:
                    values.Rewrite(parameter);
                    break;
                case WeightUse weight:
                    values.Rewrite(weight);
                    break;
                case MethodGroupUse group:
                    values.Rewrite(group);
                    break;
                case ResidualUse residual:
                    sites.Rewrite(residual);
                    break;
                case NormedUse normed:
                    sites.Rewrite(normed);
                    break;
                case AttentionUse attention:
                    sites.Rewrite(attention);
                    break;
                case HandAttentionUse attention:
                    sites.Rewrite(attention);
                    break;
                case PositionsUse positions:
                    sites.Rewrite(positions);
                    break;
                default:
                    if (Unsupported.Why(use) is { } refusal)
                        body.Refuse(refusal.place, refusal.what, refusal.why);
                    break;
            }
    }

    private static OriginModel OriginOf(string file, SourceText text, TextSpan span)
    {
        var place = text.Lines.GetLinePositionSpan(span);
        var before = text.ToString(TextSpan.FromBounds(text.Lines[place.Start.Line].Start, span.Start));
        return new OriginModel(
            file, place.Start.Line + 1, place.Start.Character + 1, place.End.Line + 1, place.End.Character + 1, string.IsNullOrWhiteSpace(before) ? before : null);
    }
}
