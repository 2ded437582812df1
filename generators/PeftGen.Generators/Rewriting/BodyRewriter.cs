using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Text;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>
/// Rewrites one body by edits of its text, so that everything else stays as the user wrote it, line for line.
/// Edits only insert, or replace punctuation between expressions; so edits within the expressions nest.
/// </summary>
internal sealed class BodyRewriter(ModelClass type, Reachability reach, SiteNames names, NameModel parameters, BodyScanner scanner, DiagnosticList diagnostics)
{
    private readonly List<TextChange> _edits = [];

    /// <summary>The rewritten text of a body, from its opening brace or arrow to its end.</summary>
    public string Rewrite(MethodScan method, out int start)
    {
        _edits.Clear();
        foreach (var use in method.Uses)
            if (reach.Reaches(type, use))
                RewriteUse(use);
        var body = (SyntaxNode?)method.Syntax.Body ?? method.Syntax.ExpressionBody!;
        start = body.SpanStart;
        var end = method.Syntax.SemicolonToken.IsKind(SyntaxKind.None) ? body.Span.End : method.Syntax.SemicolonToken.Span.End;
        return Apply(method.Syntax.SyntaxTree.GetText().ToString(new TextSpan(start, end - start)), start);
    }

    private void RewriteUse(Use use)
    {
        switch (use)
        {
            case ParameterUse parameter:
                if (!parameter.IsWrite)
                {
                    Insert(parameter.Node.SpanStart, $"{parameters.Adapter}.{parameter.Child.Name}.read({parameters.Context}, ");
                    Insert(parameter.Node.Span.End, ")");
                }

                break;
            case ResidualUse { Norm: { } norm } residual when names.Of(residual) is { } site:
                RewriteSum(residual, norm, site);
                break;
            case ResidualUse { Norm: { } norm }:
                RewriteLayer(norm);
                break;
            case ResidualUse residual:
                ReplaceCallee(residual.Call, $"{parameters.Adapter}.{names.Of(residual)}.forward({parameters.Context}, null, null, ");
                break;
            case AttentionUse attention:
                ReplaceCallee(attention.Call, $"{parameters.Adapter}.{names.Of(attention)}.attach({parameters.Context}, ");
                break;
            case LayerUse layer:
                RewriteLayer(layer);
                break;
            case NodeUse node:
                RewriteNode(node);
                break;
            case SelfUse self when self.HasThis:
                InsertArguments(self.Call, parameters.Adapter);
                break;
            case SelfUse self:
                Refuse(self.Call, self.Method.Name, "it stands in static code, which has no 'this'; make it an instance method");
                break;
            case MethodGroupUse group:
                Refuse(group.Group, group.Receiver.Type.Name, "a module's method is used as a value; write a lambda that calls it, x => module.forward(x)");
                break;
        }
    }

    /// <summary><c>q_proj.forward(x)</c> → <c>adapter.q_proj.forward(context, q_proj, x)</c></summary>
    private void RewriteLayer(LayerUse layer)
    {
        if (!CanFollow(layer.Call, layer.Receiver, allowConditional: false))
            return;
        if (!layer.IsLayer && !layer.Receiver.IsDirect)
        {
            Refuse(layer.Call, layer.Receiver.Type.Name, "it takes several inputs and is known only by an abstract type; call it through a field, or declare its class");
            return;
        }

        Insert(layer.Receiver.Syntax.SpanStart, $"{SlotOf(layer.Receiver)}.{VerbOf(layer.Call)}({parameters.Context}, ");
        Replace(layer.Receiver.Syntax.Span.End, layer.Call.ArgumentList.OpenParenToken.Span.End, ", ");
        DropArgumentNames(layer.Call);
    }

    /// <summary><c>LayerNorm.forward(h + r)</c> → <c>adapter.residual.forward(context, LayerNorm, adapter.LayerNorm, h, r)</c></summary>
    private void RewriteSum(ResidualUse residual, LayerUse norm, string site)
    {
        var (owner, child) = norm.Receiver.Target;
        var slot = reach.IsCompiled(owner, child) ? SlotOf(norm.Receiver) : "null";
        Insert(norm.Receiver.Syntax.SpanStart, $"{parameters.Adapter}.{site}.forward({parameters.Context}, ");
        Replace(norm.Receiver.Syntax.Span.End, residual.Call.ArgumentList.OpenParenToken.Span.End, $", {slot}, ");
        Replace(residual.Sum!.Left.Span.End, residual.Sum.Right.SpanStart, ", ");
    }

    /// <summary><c>self_attn.forward(x)</c> → <c>self_attn.forward(adapter.self_attn, context, x)</c></summary>
    private void RewriteNode(NodeUse node)
    {
        if (!CanFollow(node.Call, node.Receiver, allowConditional: true))
            return;
        if (node.Receiver.IsDirect)
        {
            InsertArguments(node.Call, SlotOf(node.Receiver) + (node.Receiver.Target.child.IsNullable ? "!" : ""));
            return;
        }

        if (!IsRepeatable(node.Receiver.Syntax))
        {
            Refuse(node.Call, node.Receiver.Type.Name, "the expression before the dot would have to be evaluated twice; put it into a variable first");
            return;
        }

        var adapter = AdapterTypeAt(node.Receiver.Type, node.Call);
        InsertArguments(node.Call, $"{parameters.Adapter}.In(this).Node<{adapter}>({node.Receiver.Syntax.WithoutTrivia()})");
    }

    private bool CanFollow(InvocationExpressionSyntax call, Receiver receiver, bool allowConditional)
    {
        if (!receiver.HasThis)
            return Refuse(call, receiver.Type.Name, "it stands in static code, which has no 'this'; make it an instance method");
        if (receiver.IsConditional && !allowConditional)
            return Refuse(call, receiver.Type.Name, "'?.' on a layer; test for null first, then call it with a dot");
        return true;
    }

    private string SlotOf(Receiver receiver) =>
        receiver.IsDirect
            ? parameters.Adapter + string.Concat(receiver.Chain.Select((link, i) => $".{link.child.Name}{(link.child.IsNullable && i < receiver.Chain.Count - 1 ? "!" : "")}"))
            : $"{parameters.Adapter}.In(this)";

    private string AdapterTypeAt(ITypeSymbol module, SyntaxNode place) =>
        module.WithNullableAnnotation(NullableAnnotation.NotAnnotated).ToMinimalDisplayString(scanner.ModelOf(place.SyntaxTree), place.SpanStart) + ".Adapter";

    private static string VerbOf(InvocationExpressionSyntax call) => ((MemberAccessExpressionSyntax)call.Expression).Name.Identifier.ValueText;

    private static bool IsRepeatable(ExpressionSyntax expression) =>
        !expression.DescendantNodesAndSelf().Any(n => n is InvocationExpressionSyntax or AssignmentExpressionSyntax or AwaitExpressionSyntax or ObjectCreationExpressionSyntax
            || n.IsKind(SyntaxKind.PostIncrementExpression) || n.IsKind(SyntaxKind.PreIncrementExpression)
            || n.IsKind(SyntaxKind.PostDecrementExpression) || n.IsKind(SyntaxKind.PreDecrementExpression));

    private void InsertArguments(InvocationExpressionSyntax call, string node) =>
        Insert(call.ArgumentList.OpenParenToken.Span.End, $"{node}, {parameters.Context}{(call.ArgumentList.Arguments.Count > 0 ? ", " : "")}");

    private void ReplaceCallee(InvocationExpressionSyntax call, string text) => Replace(call.SpanStart, call.ArgumentList.OpenParenToken.Span.End, text);

    private void DropArgumentNames(InvocationExpressionSyntax call)
    {
        foreach (var name in call.ArgumentList.Arguments.Select(a => a.NameColon).OfType<NameColonSyntax>())
            Replace(name.SpanStart, name.Span.End, "");
    }

    private bool Refuse(ExpressionSyntax place, string what, string why)
    {
        diagnostics.Add("PG010", place.SyntaxTree, place.Span, what, why);
        return false;
    }

    private void Insert(int position, string text) => _edits.Add(new TextChange(new TextSpan(position, 0), text));

    private void Replace(int from, int to, string text) => _edits.Add(new TextChange(TextSpan.FromBounds(from, to), text));

    private string Apply(string text, int start)
    {
        var result = new StringBuilder();
        var position = start;
        // Insertions at one place keep the order in which outer calls come before inner ones.
        foreach (var edit in _edits.Select((e, i) => (e, i)).OrderBy(p => p.e.Span.Start).ThenBy(p => p.e.Span.Length).ThenBy(p => p.i).Select(p => p.e))
        {
            result.Append(text, position - start, edit.Span.Start - position).Append(edit.NewText);
            // What follows stays on its line.
            result.Append('\n', text.Substring(edit.Span.Start - start, edit.Span.Length).Count(c => c == '\n'));
            position = edit.Span.End;
        }

        return result.Append(text, position - start, text.Length - (position - start)).ToString();
    }
}
