using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>Calls of layers, modules and methods.</summary>
internal sealed class CallRewriter(RewrittenBody body)
{
    private int _nodes;

    /// <summary><c>q_proj.forward(x)</c> → <c>adapter.q_proj.forward(context, q_proj, x)</c></summary>
    public void Rewrite(LayerUse layer)
    {
        var (call, receiver) = (layer.Call, layer.Receiver);
        var needsTwice = receiver.Conditional is not null || (!layer.IsLayer && !receiver.IsDirect);
        if (needsTwice && !RewrittenBody.IsRepeatable(receiver.Syntax))
        {
            body.Refuse(call, receiver.Type.Name, Unsupported.Twice);
            return;
        }

        body.MakeInstance(call);
        var through = body.Call(
            call, call.ArgumentList.Arguments.Select(a => a.Expression), body.Paths.CalleeOf(receiver, layer.IsLayer, call), VerbOf(call), layer.IsLayer ? "SlotCalls" : "AbstractCalls");
        if (receiver.Conditional is { } conditional)
        {
            BeginConditional(receiver, conditional, through);
        }
        else
        {
            body.Edits.Insert(receiver.Syntax.SpanStart, receiver.Cast is { } module ? $"{through}({body.Paths.Display(module, call)})" : through);
            body.EndReceiver(receiver, call, "");
        }

        DropArgumentNames(call);
    }

    /// <summary><c>gate?.forward(x)</c> → <c>(gate is null ? null : adapter.gate.forward(context, gate, x))</c></summary>
    private void BeginConditional(Receiver receiver, ConditionalAccessExpressionSyntax conditional, string through)
    {
        var type = body.Scanner.ModelOf(conditional.SyntaxTree).GetTypeInfo(conditional).Type;
        var nothing = type is { IsValueType: true } ? $"default({body.Paths.Display(type, conditional)})" : "null";
        var discard = conditional.Parent is ExpressionStatementSyntax ? "_ = " : "";
        body.Edits.Insert(conditional.SpanStart, $"{discard}({receiver.Syntax.WithoutTrivia()} is null ? {nothing} : {through}");
        body.Edits.Replace(receiver.Syntax.Span.End, CallOf(conditional).ArgumentList.OpenParenToken.Span.End, CallOf(conditional).ArgumentList.Arguments.Count > 0 ? ", " : "");
        body.Edits.Insert(conditional.Span.End, ")");
    }

    private static InvocationExpressionSyntax CallOf(ConditionalAccessExpressionSyntax conditional) =>
        conditional.WhenNotNull.DescendantNodesAndSelf().OfType<InvocationExpressionSyntax>().First(c => c.Expression is MemberBindingExpressionSyntax);

    /// <summary><c>self_attn.forward(x)</c> → <c>self_attn.forwardThrough(adapter.self_attn, context, x)</c></summary>
    public void Rewrite(NodeUse node)
    {
        var receiver = node.Receiver;
        body.MakeInstance(node.Call);
        if (RewrittenBody.IsRepeatable(receiver.Syntax))
        {
            body.InsertArguments(node.Call, node.Method, body.Paths.NodeOf(receiver, node.Call));
            return;
        }

        // What may not be evaluated twice is met once: blocks.First() → adapter.In(this).Meet(blocks.First(), out Block.Adapter node)
        if (node.Call.Ancestors().OfType<QueryExpressionSyntax>().Any())
        {
            body.Refuse(node.Call, receiver.Type.Name, Unsupported.Twice);
            return;
        }

        var name = body.Names.Node + (++_nodes == 1 ? "" : _nodes.ToString(System.Globalization.CultureInfo.InvariantCulture));
        body.Edits.Insert(receiver.Syntax.SpanStart, $"{body.Names.Adapter}.In(this).Meet(");
        body.Edits.Insert(receiver.Syntax.Span.End, $", out {body.Paths.AdapterTypeAt(receiver.Type, node.Call)} {name})");
        body.InsertArguments(node.Call, node.Method, name);
    }

    /// <summary><c>Mix(q, k)</c> → <c>MixThrough(adapter, context, q, k)</c>. A compiled static method is an instance method, since layers are found by their place in <c>this</c>.</summary>
    public void Rewrite(SelfUse self)
    {
        body.MakeInstance(self.Call);
        if (self.Method.IsStatic && self.Call.Expression is MemberAccessExpressionSyntax { Expression: not ThisExpressionSyntax } access)
            body.Edits.Replace(access.SpanStart, access.Name.SpanStart, "this.");
        body.InsertArguments(self.Call, self.Method, body.Names.Adapter);
    }

    private static string VerbOf(InvocationExpressionSyntax call) => call.Expression switch
    {
        MemberAccessExpressionSyntax access => access.Name.Identifier.ValueText,
        var binding => ((MemberBindingExpressionSyntax)binding).Name.Identifier.ValueText,
    };

    private void DropArgumentNames(InvocationExpressionSyntax call)
    {
        foreach (var argument in call.ArgumentList.Arguments)
            if (argument.NameColon is { } name)
                body.Edits.Replace(name.SpanStart, argument.Expression.SpanStart, "");
    }
}
