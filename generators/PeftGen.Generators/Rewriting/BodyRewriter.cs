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
    private readonly HashSet<int> _freed = [];
    private int _nodes;
    private bool _isRefused;

    /// <summary>The rewritten body. One that cannot be followed throws: it never runs as the base in silence.</summary>
    public BodyText Rewrite(MethodScan method)
    {
        _edits.Clear();
        _freed.Clear();
        _nodes = 0;
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
            case ParameterUse { IsWrite: false } parameter:
                Insert(parameter.Node.SpanStart, $"{SlotOf(parameter.Chain, parameter.Node)}.read({parameters.Context}, ");
                Insert(parameter.Node.Span.End, ")");
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
            case SelfUse self:
                RewriteSelf(self);
                break;
            case WeightUse weight:
                RewriteWeight(weight);
                break;
            case MethodGroupUse group:
                RewriteGroup(group);
                break;
            default:
                if (Unsupported.Why(use) is { } refusal)
                    Refuse(refusal.place, refusal.what, refusal.why);
                break;
        }
    }

    /// <summary><c>q_proj.forward(x)</c> → <c>adapter.q_proj.forward(context, q_proj, x)</c></summary>
    private void RewriteLayer(LayerUse layer)
    {
        var (call, receiver) = (layer.Call, layer.Receiver);
        var needsTwice = receiver.Conditional is not null || (!layer.IsLayer && !receiver.IsDirect);
        if (needsTwice && !IsRepeatable(receiver.Syntax))
        {
            Refuse(call, receiver.Type.Name, Unsupported.Twice);
            return;
        }

        MakeInstance(call);
        var through = $"{CalleeOf(receiver, layer.IsLayer, call)}.{VerbOf(call)}({parameters.Context}, ";
        if (receiver.Conditional is { } conditional)
        {
            BeginConditional(receiver, conditional, through);
        }
        else
        {
            Insert(receiver.Syntax.SpanStart, receiver.Cast is { } module ? $"{through}({Display(module, call)})" : through);
            EndReceiver(receiver, call, "");
        }

        DropArgumentNames(call);
    }

    /// <summary><c>gate?.forward(x)</c> → <c>(gate is null ? null : adapter.gate.forward(context, gate, x))</c></summary>
    private void BeginConditional(Receiver receiver, ConditionalAccessExpressionSyntax conditional, string through)
    {
        var type = scanner.ModelOf(conditional.SyntaxTree).GetTypeInfo(conditional).Type;
        var nothing = type is { IsValueType: true } ? $"default({Display(type, conditional)})" : "null";
        var discard = conditional.Parent is ExpressionStatementSyntax ? "_ = " : "";
        Insert(conditional.SpanStart, $"{discard}({receiver.Syntax.WithoutTrivia()} is null ? {nothing} : {through}");
        Replace(receiver.Syntax.Span.End, CallOf(conditional).ArgumentList.OpenParenToken.Span.End, CallOf(conditional).ArgumentList.Arguments.Count > 0 ? ", " : "");
        Insert(conditional.Span.End, ")");
    }

    private static InvocationExpressionSyntax CallOf(ConditionalAccessExpressionSyntax conditional) =>
        conditional.WhenNotNull.DescendantNodesAndSelf().OfType<InvocationExpressionSyntax>().First(c => c.Expression is MemberBindingExpressionSyntax);

    /// <summary><c>Mix(q, k)</c> → <c>Mix(adapter, context, q, k)</c>. A compiled static method is an instance method, since layers are found by their place in <c>this</c>.</summary>
    private void RewriteSelf(SelfUse self)
    {
        MakeInstance(self.Call);
        if (self.Method.IsStatic && self.Call.Expression is MemberAccessExpressionSyntax { Expression: not ThisExpressionSyntax } access)
            Replace(access.SpanStart, access.Name.SpanStart, "this.");
        InsertArguments(self.Call, parameters.Adapter);
    }

    /// <summary><c>head.weight</c> → <c>adapter.head.read(context, head, "weight", head.weight)</c></summary>
    private void RewriteWeight(WeightUse weight)
    {
        var receiver = weight.Receiver;
        if (!IsRepeatable(receiver.Syntax))
        {
            Refuse(weight.Read, receiver.Type.Name, Unsupported.Twice);
            return;
        }

        MakeInstance(weight.Read);
        diagnostics.Add("PG014", weight.Read.SyntaxTree, weight.Read.Span, weight.Read.ToString(), receiver.Syntax.ToString());
        var host = receiver.Syntax.WithoutTrivia();
        var slot = receiver.IsDirect ? SlotOf(receiver.Chain, weight.Read) : $"{parameters.Adapter}.In(this).Slot({host})";
        Insert(weight.Read.SpanStart, $"{slot}.read({parameters.Context}, {host}, \"{weight.Parameter}\", ");
        Insert(weight.Read.Span.End, ")");
    }

    /// <summary><c>head.forward</c> as a value → <c>(Tensor input) => adapter.head.forward(context, head, input)</c></summary>
    private void RewriteGroup(MethodGroupUse group)
    {
        if (group.Receiver is { } called && !IsRepeatable(called.Syntax))
        {
            Refuse(group.Group, called.Type.Name, Unsupported.Twice);
            return;
        }

        MakeInstance(group.Group);
        var names = group.Method.Parameters.Select((p, i) => (p, name: i == 0 ? parameters.Input : parameters.Input + (i + 1))).ToList();
        var declared = string.Join(", ", names.Select(n => $"{RefText(n.p)}{Display(n.p.Type, group.Group)} {n.name}"));
        var handedOn = string.Join(", ", names.Select(n => RefText(n.p) + n.name));
        // Where the compiler would read on after the lambda.
        var wrap = group.Group.Parent is CastExpressionSyntax or BinaryExpressionSyntax or ConditionalExpressionSyntax;
        Insert(group.Group.SpanStart, $"{(wrap ? "(" : "")}({declared}) => ");
        var end = handedOn.Length == 0 ? "" : ", " + handedOn;
        if (group.Receiver is not { } receiver)
        {
            if (group.Method.IsStatic && group.Group is MemberAccessExpressionSyntax access)
                Replace(access.SpanStart, access.Name.SpanStart, "this.");
            end = $"({parameters.Adapter}, {parameters.Context}{end})";
        }
        else if (group.Type is not null)
        {
            end = $"({NodeOf(receiver, group.Group)}, {parameters.Context}{end})";
        }
        else
        {
            Insert(receiver.Syntax.SpanStart, $"{CalleeOf(receiver, group.IsLayer, group.Group)}.{group.Method.Name}({parameters.Context}, ");
            Replace(receiver.Syntax.Span.End, group.Group.Span.End, $"{end})");
            end = "";
        }

        Insert(group.Group.Span.End, end + (wrap ? ")" : ""));
    }

    /// <summary><c>LayerNorm.forward(h + r)</c> → <c>adapter.residual.forward(context, LayerNorm, adapter.LayerNorm, h, r)</c></summary>
    private void RewriteSum(ResidualUse residual, LayerUse norm, string site)
    {
        var (owner, child) = norm.Receiver.Target;
        var slot = reach.IsCompiled(owner, child) ? SlotOf(norm.Receiver.Chain, norm.Call) : "null";
        MakeInstance(norm.Call);
        Insert(norm.Receiver.Syntax.SpanStart, $"{parameters.Adapter}.{site}.forward({parameters.Context}, ");
        EndReceiver(norm.Receiver, residual.Call, slot + ", ");
        Replace(residual.Sum!.Left.Span.End, residual.Sum.Right.SpanStart, ", ");
    }

    /// <summary><c>self_attn.forward(x)</c> → <c>self_attn.forward(adapter.self_attn, context, x)</c></summary>
    private void RewriteNode(NodeUse node)
    {
        var receiver = node.Receiver;
        MakeInstance(node.Call);
        if (IsRepeatable(receiver.Syntax))
        {
            InsertArguments(node.Call, NodeOf(receiver, node.Call));
            return;
        }

        // What may not be evaluated twice is met once: blocks.First() → adapter.In(this).Meet(blocks.First(), out Block.Adapter node)
        if (node.Call.Ancestors().OfType<QueryExpressionSyntax>().Any())
        {
            Refuse(node.Call, receiver.Type.Name, Unsupported.Twice);
            return;
        }

        var name = parameters.Node + (++_nodes == 1 ? "" : _nodes.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Insert(receiver.Syntax.SpanStart, $"{parameters.Adapter}.In(this).Meet(");
        Insert(receiver.Syntax.Span.End, $", out {AdapterTypeAt(receiver.Type, node.Call)} {name})");
        InsertArguments(node.Call, name);
    }

    /// <summary><c>adapter.self_attn</c>, or a look-up where the code does not name the child by its own class.</summary>
    private string NodeOf(Receiver receiver, SyntaxNode place) =>
        receiver.IsDirect && receiver.Target.child.Shape == ChildShape.Composite && graph.ClassOf(receiver.Target.child.Type) == graph.ClassOf(receiver.Type)
            ? SlotOf(receiver.Chain, place)
            : $"{parameters.Adapter}.In(this).Node<{AdapterTypeAt(receiver.Type, place)}>({receiver.Syntax.WithoutTrivia()})";

    /// <summary>What a layer, or a module known by an abstract type, runs through.</summary>
    private string CalleeOf(Receiver receiver, bool isLayer, SyntaxNode place) =>
        receiver.IsDirect ? SlotOf(receiver.Chain, place)
        : isLayer ? $"{parameters.Adapter}.In(this)"
        : $"{parameters.Adapter}.In(this).NodeOf({receiver.Syntax.WithoutTrivia()})";

    /// <summary>Static code has no <c>this</c> to find layers in: lambdas and local functions lose the word. They capture nothing else that way.</summary>
    private void MakeInstance(SyntaxNode node)
    {
        foreach (var modifiers in node.Ancestors().TakeWhile(a => a is not MemberDeclarationSyntax).Select(a => a switch
        {
            LocalFunctionStatementSyntax local => local.Modifiers,
            AnonymousFunctionExpressionSyntax lambda => lambda.Modifiers,
            _ => default,
        }))
            foreach (var word in modifiers.Where(m => m.IsKind(SyntaxKind.StaticKeyword) && _freed.Add(m.SpanStart)))
                Replace(word.SpanStart, word.Span.End, "");
    }

    /// <summary><c>adapter.mlp.up_proj</c></summary>
    private string SlotOf(IReadOnlyList<(ModelClass owner, ModelChild child)> chain, SyntaxNode place)
    {
        var slot = parameters.Adapter;
        foreach (var (owner, child) in chain)
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

    private string AdapterTypeAt(ITypeSymbol module, SyntaxNode place) => Display(module.WithNullableAnnotation(NullableAnnotation.NotAnnotated), place) + ".Adapter";

    private string Display(ITypeSymbol type, SyntaxNode place) => type.ToMinimalDisplayString(scanner.ModelOf(place.SyntaxTree), place.SpanStart);

    private static string RefText(IParameterSymbol parameter) => parameter.RefKind switch { RefKind.Ref => "ref ", RefKind.Out => "out ", RefKind.In => "in ", _ => "" };

    private static string VerbOf(InvocationExpressionSyntax call) => call.Expression switch
    {
        MemberAccessExpressionSyntax access => access.Name.Identifier.ValueText,
        var binding => ((MemberBindingExpressionSyntax)binding).Name.Identifier.ValueText,
    };

    private static bool IsRepeatable(ExpressionSyntax expression) =>
        !expression.DescendantNodesAndSelf().Any(n => n is MemberBindingExpressionSyntax or ElementBindingExpressionSyntax or InvocationExpressionSyntax or AssignmentExpressionSyntax or AwaitExpressionSyntax or ObjectCreationExpressionSyntax
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
        if (call.ArgumentList.Arguments.Count > 0 || next.Length > 0)
            Insert(end, breaks ? "," : ", ");
        Replace(dot, call.ArgumentList.OpenParenToken.Span.End, next);
    }

    private void DropArgumentNames(InvocationExpressionSyntax call)
    {
        foreach (var argument in call.ArgumentList.Arguments)
            if (argument.NameColon is { } name)
                Replace(name.SpanStart, argument.Expression.SpanStart, "");
    }

    private void Refuse(ExpressionSyntax place, string what, string why)
    {
        diagnostics.Add("PG010", place.SyntaxTree, place.Span, what, why);
        _isRefused = true;
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
