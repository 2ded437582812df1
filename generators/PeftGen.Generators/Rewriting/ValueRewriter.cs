using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Model;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>What is no call: parameters, weights, methods as values.</summary>
internal sealed class ValueRewriter(RewrittenBody body)
{
    /// <summary><c>gate</c> → <c>adapter.gate.read(context, gate)</c></summary>
    public void Rewrite(ParameterUse parameter)
    {
        if (parameter.IsWrite)
            return;
        body.Edits.Insert(parameter.Node.SpanStart, $"{body.Paths.SlotOf(parameter.Chain, parameter.Node)}.read({body.Names.Context}, ");
        body.Edits.Insert(parameter.Node.Span.End, ")");
    }

    /// <summary><c>head.weight</c> → <c>adapter.head.parameter(context, head, "weight", head.weight)</c></summary>
    public void Rewrite(WeightUse weight)
    {
        var receiver = weight.Receiver;
        if (!RewrittenBody.IsRepeatable(receiver.Syntax))
        {
            body.Refuse(weight.Read, receiver.Type.Name, Unsupported.Twice);
            return;
        }

        body.MakeInstance(weight.Read);
        body.Diagnostics.Add("PG014", weight.Read.SyntaxTree, weight.Read.Span, weight.Read.ToString(), receiver.Syntax.ToString());
        var host = receiver.Syntax.WithoutTrivia();
        var slot = receiver.IsDirect ? body.Paths.SlotOf(receiver.Chain, weight.Read) : $"{body.Names.Adapter}.In(this).Slot({host})";
        body.Edits.Insert(weight.Read.SpanStart, $"{slot}.parameter({body.Names.Context}, {host}, \"{weight.Parameter}\", ");
        body.Edits.Insert(weight.Read.Span.End, ")");
    }

    /// <summary><c>head.forward</c> as a value → <c>(Tensor input) => adapter.head.forward(context, head, input)</c></summary>
    public void Rewrite(MethodGroupUse group)
    {
        if (group.Receiver is { } called && !RewrittenBody.IsRepeatable(called.Syntax))
        {
            body.Refuse(group.Group, called.Type.Name, Unsupported.Twice);
            return;
        }

        body.MakeInstance(group.Group);
        var names = group.Method.Parameters.Select((p, i) => (p, name: i == 0 ? body.Names.Input : body.Names.Input + (i + 1))).ToList();
        var declared = string.Join(", ", names.Select(n => $"{RefText(n.p)}{body.Paths.Display(n.p.Type, group.Group)} {n.name}"));
        var handedOn = string.Join(", ", names.Select(n => RefText(n.p) + n.name));
        // Where the compiler would read on after the lambda.
        var wrap = group.Group.Parent is CastExpressionSyntax or BinaryExpressionSyntax or ConditionalExpressionSyntax;
        body.Edits.Insert(group.Group.SpanStart, $"{(wrap ? "(" : "")}({declared}) => ");
        var end = handedOn.Length == 0 ? "" : ", " + handedOn;
        if (group.Receiver is not { } receiver)
        {
            if (group.Method.IsStatic && group.Group is MemberAccessExpressionSyntax access)
                body.Edits.Replace(access.SpanStart, access.Name.SpanStart, "this.");
            body.Rename(group.Group, group.Method);
            end = $"({body.Names.Adapter}, {body.Names.Context}{end})";
        }
        else if (group.Type is not null)
        {
            body.Rename(group.Group, group.Method);
            end = $"({body.Paths.NodeOf(receiver, group.Group)}, {body.Names.Context}{end})";
        }
        else
        {
            body.Edits.Insert(receiver.Syntax.SpanStart, $"{body.Paths.CalleeOf(receiver, group.IsLayer, group.Group)}.{group.Method.Name}({body.Names.Context}, ");
            body.Edits.Replace(receiver.Syntax.Span.End, group.Group.Span.End, $"{end})");
            end = "";
        }

        body.Edits.Insert(group.Group.Span.End, end + (wrap ? ")" : ""));
    }

    private static string RefText(IParameterSymbol parameter) => parameter.RefKind switch { RefKind.Ref => "ref ", RefKind.Out => "out ", RefKind.In => "in ", _ => "" };
}
