using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>Sites that stand in bodies: residuals and attentions.</summary>
internal sealed class SiteRewriter(RewrittenBody body, CallRewriter calls)
{
    public void Rewrite(ResidualUse residual)
    {
        if (residual.Norm is not { } norm)
            RewritePlain(residual, body.Call(residual.Site, Operands(residual), $"{body.Names.Adapter}.{body.Sites.Of(residual)}", "forward") + "null, null, ");
        else if (body.Sites.Of(residual) is { } site)
            RewriteSum(residual, norm, site);
        else
            calls.Rewrite(norm);
    }

    /// <summary><c>Attention.Attach(x, q, k, v, mask)</c> → <c>adapter.attention.attach(context, x, q, k, v, mask)</c></summary>
    public void Rewrite(AttentionUse attention)
    {
        var site = $"{body.Names.Adapter}.{body.Sites.Of(attention)}";
        var given = attention.Call.ArgumentList.Arguments.Select(a => a.Expression);
        body.ReplaceCallee(attention.Call, attention.Input is { } input ? $"{body.Call(attention.Call, given, site, "attend")}{input}, " : body.Call(attention.Call, given, site, "attach"));
    }

    private static IEnumerable<ExpressionSyntax> Operands(ResidualUse residual) => (residual.Sum ?? residual.Site) switch
    {
        BinaryExpressionSyntax sum => [sum.Left, sum.Right],
        AssignmentExpressionSyntax sum => [sum.Left, sum.Right],
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax add } sum => [add.Expression, .. sum.ArgumentList.Arguments.Select(a => a.Expression)],
        _ => [],
    };

    /// <summary><c>Attention.Positions(positions)</c> → <c>context.Positions(positions)</c></summary>
    public void Rewrite(PositionsUse positions) => body.ReplaceCallee(positions.Call, $"{body.Names.Context}.Positions(");

    /// <summary><c>x + mlp.forward(x)</c> → <c>adapter.mlp_residual.forward(context, null, null, r: x, h: mlp.forward(x))</c>, evaluated in the order of the text.</summary>
    private void RewritePlain(ResidualUse residual, string callee)
    {
        var (first, second) = residual.OutputIsLast ? ("r: ", ", h: ") : ("", ", ");
        body.MakeInstance(residual.Site);
        switch (residual.Sum)
        {
            case BinaryExpressionSyntax sum:
                body.Edits.Insert(sum.SpanStart, callee + first);
                body.Edits.Replace(sum.Left.Span.End, sum.Right.SpanStart, second);
                body.Edits.Insert(sum.Span.End, ")");
                break;
            case AssignmentExpressionSyntax sum:
                body.Edits.Replace(sum.Left.Span.End, sum.Right.SpanStart, $" = {callee}{first}{sum.Left.WithoutTrivia()}{second}");
                body.Edits.Insert(sum.Span.End, ")");
                break;
            case InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax add } sum:
                body.Edits.Insert(sum.SpanStart, callee + first);
                body.Edits.Replace(add.Expression.Span.End, sum.ArgumentList.Arguments[0].SpanStart, second);
                break;
            default:
                body.ReplaceCallee((InvocationExpressionSyntax)residual.Site, callee);
                break;
        }
    }

    /// <summary><c>LayerNorm.forward(h + r)</c> → <c>adapter.residual.forward(context, LayerNorm, adapter.LayerNorm, h, r)</c></summary>
    private void RewriteSum(ResidualUse residual, LayerUse norm, string site)
    {
        var (owner, child) = norm.Receiver.Target;
        var slot = body.Reach.IsCompiled(owner, child) ? body.Paths.SlotOf(norm.Receiver.Chain, norm.Call) : "null";
        body.MakeInstance(norm.Call);
        body.Edits.Insert(norm.Receiver.Syntax.SpanStart, body.Call(norm.Call, Operands(residual), $"{body.Names.Adapter}.{site}", "forward"));
        var sum = (BinaryExpressionSyntax)residual.Sum!;
        body.EndReceiver(norm.Receiver, norm.Call, slot + (residual.OutputIsLast ? ", r: " : ", "));
        body.Edits.Replace(sum.Left.Span.End, sum.Right.SpanStart, residual.OutputIsLast ? ", h: " : ", ");
    }
}
