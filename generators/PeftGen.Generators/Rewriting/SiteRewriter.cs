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
            body.ReplaceCallee(residual.Call, $"{body.Names.Adapter}.{body.Sites.Of(residual)}.forward({body.Names.Context}, null, null, ");
        else if (body.Sites.Of(residual) is { } site)
            RewriteSum(residual, norm, site);
        else
            calls.Rewrite(norm);
    }

    /// <summary><c>Attention.Attach(x, q, k, v, mask)</c> → <c>adapter.attention.attach(context, x, q, k, v, mask)</c></summary>
    public void Rewrite(AttentionUse attention) =>
        body.ReplaceCallee(attention.Call, $"{body.Names.Adapter}.{body.Sites.Of(attention)}.attach({body.Names.Context}, ");

    /// <summary><c>LayerNorm.forward(h + r)</c> → <c>adapter.residual.forward(context, LayerNorm, adapter.LayerNorm, h, r)</c></summary>
    private void RewriteSum(ResidualUse residual, LayerUse norm, string site)
    {
        var (owner, child) = norm.Receiver.Target;
        var slot = body.Reach.IsCompiled(owner, child) ? body.Paths.SlotOf(norm.Receiver.Chain, norm.Call) : "null";
        body.MakeInstance(norm.Call);
        body.Edits.Insert(norm.Receiver.Syntax.SpanStart, $"{body.Names.Adapter}.{site}.forward({body.Names.Context}, ");
        body.EndReceiver(norm.Receiver, residual.Call, slot + ", ");
        body.Edits.Replace(residual.Sum!.Left.Span.End, residual.Sum.Right.SpanStart, ", ");
    }
}
