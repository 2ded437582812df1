using System.Text;
using System.Text.RegularExpressions;
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
internal sealed class BodyRewriter(ModelClass type, Reachability reach, SiteNames names, NameModel parameters, ModelGraph graph, BodyScanner scanner, DiagnosticList diagnostics)
{
    private static readonly Regex _lineBreaks = new(@"\r?\n[ \t]*", RegexOptions.CultureInvariant);
    private readonly List<TextChange> _edits = [];
    private bool _isRefused;

    /// <summary>The rewritten body. One that cannot be followed throws: it never runs as the base in silence.</summary>
    public BodyText Rewrite(MethodScan method)
    {
        _edits.Clear();
        _isRefused = false;
        foreach (var use in method.Uses)
            if (reach.Reaches(type, use))
                RewriteUse(use);
        if (_isRefused)
            return new BodyText("throw new global::System.NotSupportedException(\"This method could not be compiled; PG010 says why.\");", IsExpression: true, null);
        var span = method.Syntax.ExpressionBody is { } arrow
            ? TextSpan.FromBounds(arrow.Expression.SpanStart, method.Syntax.SemicolonToken.Span.End)
            : method.Syntax.Body!.Span;
        var text = method.Syntax.SyntaxTree.GetText();
        return new BodyText(Apply(text.ToString(span), span.Start), method.Syntax.ExpressionBody is not null, OriginOf(method.Syntax.SyntaxTree.FilePath, text, span));
    }

    private static OriginModel OriginOf(string file, SourceText text, TextSpan span)
    {
        var place = text.Lines.GetLinePositionSpan(span);
        var before = text.ToString(TextSpan.FromBounds(text.Lines[place.Start.Line].Start, span.Start));
        return new OriginModel(
            file, place.Start.Line + 1, place.Start.Character + 1, place.End.Line + 1, place.End.Character + 1, string.IsNullOrWhiteSpace(before) ? before : null);
    }

    private void RewriteUse(Use use)
    {
        switch (use)
        {
            case ParameterUse parameter:
                if (!parameter.IsWrite)
                {
                    Insert(parameter.Node.SpanStart, $"{parameters.Adapter}.{Identifiers.Escape(parameter.Child.Name)}.read({parameters.Context}, ");
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

        Insert(layer.Receiver.Syntax.SpanStart, $"{SlotOf(layer.Receiver, layer.Call)}.{VerbOf(layer.Call)}({parameters.Context}, ");
        EndReceiver(layer.Receiver, layer.Call, "");
        DropArgumentNames(layer.Call);
    }

    /// <summary><c>LayerNorm.forward(h + r)</c> → <c>adapter.residual.forward(context, LayerNorm, adapter.LayerNorm, h, r)</c></summary>
    private void RewriteSum(ResidualUse residual, LayerUse norm, string site)
    {
        var (owner, child) = norm.Receiver.Target;
        var slot = reach.IsCompiled(owner, child) ? SlotOf(norm.Receiver, norm.Call) : "null";
        Insert(norm.Receiver.Syntax.SpanStart, $"{parameters.Adapter}.{site}.forward({parameters.Context}, ");
        EndReceiver(norm.Receiver, residual.Call, slot + ", ");
        Replace(residual.Sum!.Left.Span.End, residual.Sum.Right.SpanStart, ", ");
    }

    /// <summary><c>self_attn.forward(x)</c> → <c>self_attn.forward(adapter.self_attn, context, x)</c></summary>
    private void RewriteNode(NodeUse node)
    {
        if (!CanFollow(node.Call, node.Receiver, allowConditional: true))
            return;
        if (node.Receiver.IsDirect && node.Receiver.Target.child.Shape == ChildShape.Composite && graph.ClassOf(node.Receiver.Target.child.Type) == graph.ClassOf(node.Receiver.Type))
        {
            InsertArguments(node.Call, SlotOf(node.Receiver, node.Call));
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
            return Refuse(call.Ancestors().OfType<ConditionalAccessExpressionSyntax>().First(), receiver.Type.Name, "'?.' on a layer; test for null first, then call it with a dot");
        return true;
    }

    /// <summary><c>adapter.mlp.up_proj</c>, or <c>adapter.In(this)</c> where the code does not name the child.</summary>
    private string SlotOf(Receiver receiver, SyntaxNode place)
    {
        if (!receiver.IsDirect)
            return $"{parameters.Adapter}.In(this)";
        var slot = parameters.Adapter;
        foreach (var (owner, child) in receiver.Chain)
        {
            slot += "." + Identifiers.Escape(child.Name);
            if (child.Shape != ChildShape.Composite)
                continue;
            // A node whose class nobody else may see is kept as what all nodes are.
            if (Visibility.OfMember(owner.Symbol, child.Type) is null)
                slot = $"(({AdapterTypeAt(child.Type, place)}){slot}!)";
            else if (child.IsNullable)
                slot += "!";
        }

        return slot;
    }

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

    /// <summary>Makes the receiver the argument before the call's own: <c>q_proj.forward(</c> → <c>q_proj, </c>, with the line breaks between them kept.</summary>
    private void EndReceiver(Receiver receiver, InvocationExpressionSyntax call, string next)
    {
        var dot = ((MemberAccessExpressionSyntax)call.Expression).OperatorToken.SpanStart;
        var end = receiver.Syntax.Span.End;
        var breaks = dot > end || call.Expression.GetLocation().GetLineSpan().EndLinePosition.Line > receiver.Syntax.GetLocation().GetLineSpan().EndLinePosition.Line;
        Insert(end, breaks ? "," : ", ");
        Replace(dot, call.ArgumentList.OpenParenToken.Span.End, next);
    }

    private void DropArgumentNames(InvocationExpressionSyntax call)
    {
        foreach (var argument in call.ArgumentList.Arguments)
            if (argument.NameColon is { } name)
                Replace(name.SpanStart, argument.Expression.SpanStart, "");
    }

    private bool Refuse(ExpressionSyntax place, string what, string why)
    {
        diagnostics.Add("PG010", place.SyntaxTree, place.Span, what, why);
        _isRefused = true;
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
            foreach (Match lineBreak in _lineBreaks.Matches(text.Substring(edit.Span.Start - start, edit.Span.Length)))
                result.Append(lineBreak.Value);
            position = edit.Span.End;
        }

        return result.Append(text, position - start, text.Length - (position - start)).ToString();
    }
}
