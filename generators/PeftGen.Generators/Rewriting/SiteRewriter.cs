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
        if (body.Sites.Of(residual) is not { } site)
        {
            if (residual.IsWithinNorm)
                calls.Rewrite(residual.Norm!);
            return;
        }

        body.MakeInstance(residual.Site);
        if (residual.IsWithinNorm)
            RewriteWithin(residual, residual.Norm!, site);
        else
            RewriteSum(residual, site);
    }

    /// <summary><c>x = norm.forward(x)</c> → <c>x = x.alias()</c>, where the sum has run the norm.</summary>
    public void Rewrite(NormedUse normed)
    {
        if (!body.Sites.Own.Any(site => site.use is ResidualUse residual && residual.Site == normed.Sum))
        {
            calls.Rewrite(normed.Norm);
            return;
        }

        var argument = normed.Norm.Call.ArgumentList.Arguments[0];
        body.Edits.Replace(normed.Norm.Call.SpanStart, argument.SpanStart, "");
        body.Edits.Replace(argument.Span.End, normed.Norm.Call.Span.End, ".alias()");
    }

    /// <summary><c>Attention.Attach(x, q, k, v, mask)</c> → <c>adapter.attention.attach(context, x, q, k, v, mask)</c></summary>
    public void Rewrite(AttentionUse attention)
    {
        var site = $"{body.Names.Adapter}.{body.Sites.Of(attention)}";
        var given = attention.Call.ArgumentList.Arguments.Select(a => a.Expression);
        body.ReplaceCallee(attention.Call, attention.Input is { } input ? $"{body.Call(attention.Call, given, site, "attend")}{input}, " : body.Call(attention.Call, given, site, "attach"));
    }

    /// <summary>
    /// <c>matmul(q, k.mT)</c> → <c>matmul(q, adapter.attention.keys(context, x, q, k.mT, v))</c>; masks, scores and values after it → <c>adapter.attention.mask(context, mask)</c> and so on.
    /// </summary>
    public void Rewrite(HandAttentionUse attention)
    {
        var site = $"{body.Names.Adapter}.{body.Sites.Of(attention)}";
        body.MakeInstance(attention.Product);
        Wrap(attention.Scores, $"{site}.scores({body.Names.Context}, ", ")");
        Wrap(attention.Keys, $"{site}.keys({body.Names.Context}, {attention.Input}, {OnOneLine(attention.Queries)}, ", $", {OnOneLine(attention.Values)}{Options(attention)})");
        foreach (var mask in attention.Masks)
            Wrap(mask.Expression, $"{site}.mask({body.Names.Context}, ", mask.Hides ? ")" : ", seen: true)");
        foreach (var shape in attention.Shapes)
            Wrap(shape, $"{site}.shape({body.Names.Context}, ", ")");
        Wrap(attention.Values, $"{site}.values({body.Names.Context}, ", ")");
    }

    private void Wrap(ExpressionSyntax expression, string before, string after)
    {
        body.Edits.Insert(expression.SpanStart, before);
        body.Edits.Insert(expression.Span.End, after);
    }

    private static string OnOneLine(ExpressionSyntax expression) => string.Join(" ", expression.ToString().Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries).Select(line => line.Trim()));

    private static string Options(HandAttentionUse attention) =>
        (attention.IsTurned ? "" : ", turned: false") + (attention.QueryScale is { } q ? $", queryScale: {q}" : "") + (attention.KeyScale is { } k ? $", keyScale: {k}" : "")
        + (attention.RowsFirst is { } rows ? $", rowsFirst: {(rows ? "true" : "false")}" : "");

    private static IEnumerable<ExpressionSyntax> Operands(ResidualUse residual) => (residual.Sum ?? residual.Site) switch
    {
        BinaryExpressionSyntax sum => [sum.Left, sum.Right],
        AssignmentExpressionSyntax sum => [sum.Left, sum.Right],
        InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax add } sum => [add.Expression, .. sum.ArgumentList.Arguments.Select(a => a.Expression)],
        _ => [],
    };

    /// <summary><c>Attention.Positions(positions)</c> → <c>context.Positions(positions)</c></summary>
    public void Rewrite(PositionsUse positions) => body.ReplaceCallee(positions.Call, $"{body.Names.Context}.Positions(");

    /// <summary><c>x + mlp.forward(x)</c> → <c>adapter.mlp_residual.onto(context, null, null, x, mlp.forward(x))</c>: evaluated and added in the order of the text.</summary>
    private void RewriteSum(ResidualUse residual, string site)
    {
        var verb = residual.OutputIsLast ? "onto" : "forward";
        var callee = $"{body.Call(residual.Site, Operands(residual), $"{body.Names.Adapter}.{site}", verb)}{NormOf(residual)}, ";
        var end = Hooks(residual) + ")";
        switch (residual.Sum)
        {
            case BinaryExpressionSyntax sum:
                body.Edits.Insert(sum.SpanStart, callee);
                body.Edits.Replace(sum.Left.Span.End, sum.Right.SpanStart, ", ");
                body.Edits.Insert(sum.Span.End, end);
                break;
            case AssignmentExpressionSyntax sum:
                body.Edits.Replace(sum.Left.Span.End, sum.Right.SpanStart, $" = {callee}{sum.Left.WithoutTrivia()}, ");
                body.Edits.Insert(sum.Span.End, end);
                break;
            case InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax add, ArgumentList.Arguments: [var only] } sum:
                body.Edits.Insert(sum.SpanStart, add.Name.Identifier.ValueText == "add_" ? body.Call(sum, Operands(residual), $"{body.Names.Adapter}.{site}", verb + "_") : callee);
                body.Edits.Replace(add.Expression.Span.End, only.SpanStart, ", ");
                body.Edits.Replace(only.Span.End, sum.Span.End, add.Name.Identifier.ValueText == "add_" ? ")" : end);
                break;
            default:
                var call = (InvocationExpressionSyntax)residual.Site;
                body.ReplaceCallee(call, callee);
                body.Edits.Replace(call.ArgumentList.CloseParenToken.SpanStart, call.Span.End, end);
                break;
        }
    }

    private string NormOf(ResidualUse residual) => residual.Norm is { } norm ? $"{norm.Receiver.Syntax.WithoutTrivia()}, {SlotOf(norm)}" : "null, null";

    private string SlotOf(LayerUse norm) => norm.Receiver.Target is var (owner, child) && body.Reach.IsCompiled(owner, child) ? body.Paths.SlotOf(norm.Receiver.Chain, norm.Call) : "null";

    private static string Hooks(ResidualUse residual) => residual.Norm?.Call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "call" } ? ", hooks: true" : "";

    /// <summary><c>LayerNorm.forward(h + r)</c> → <c>adapter.residual.forward(context, LayerNorm, adapter.LayerNorm, h, r)</c></summary>
    private void RewriteWithin(ResidualUse residual, LayerUse norm, string site)
    {
        body.Edits.Insert(norm.Receiver.Syntax.SpanStart, body.Call(norm.Call, Operands(residual), $"{body.Names.Adapter}.{site}", residual.OutputIsLast ? "onto" : "forward"));
        body.EndReceiver(norm.Receiver, norm.Call, SlotOf(norm) + ", ");
        switch (residual.Sum)
        {
            case BinaryExpressionSyntax sum:
                Unwrap(norm.Call.ArgumentList.Arguments[0].Expression, sum);
                body.Edits.Replace(sum.Left.Span.End, sum.Right.SpanStart, ", ");
                break;
            case InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax add, ArgumentList.Arguments: [var only] } sum:
                Unwrap(norm.Call.ArgumentList.Arguments[0].Expression, sum);
                body.Edits.Replace(add.Expression.Span.End, only.SpanStart, ", ");
                body.Edits.Replace(only.Span.End, sum.Span.End, "");
                break;
            default:
                var call = (InvocationExpressionSyntax)(residual.Sum ?? norm.Call.ArgumentList.Arguments[0].Expression);
                Unwrap(norm.Call.ArgumentList.Arguments[0].Expression, call);
                body.ReplaceCallee(call, "");
                body.Edits.Replace(call.ArgumentList.CloseParenToken.SpanStart, call.Span.End, "");
                break;
        }

        body.Edits.Replace(norm.Call.ArgumentList.CloseParenToken.SpanStart, norm.Call.Span.End, Hooks(residual) + ")");
    }

    /// <summary>Two arguments stand in no parentheses of their own.</summary>
    private void Unwrap(ExpressionSyntax around, ExpressionSyntax sum)
    {
        if (around == sum)
            return;
        body.Edits.Replace(around.SpanStart, sum.SpanStart, "");
        body.Edits.Replace(sum.Span.End, around.Span.End, "");
    }
}
