using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Finds out which children of a class an expression in its code names.</summary>
internal sealed class ReceiverFinder(ModelGraph graph, ModelClass type, SemanticModel model, CancellationToken cancel)
{
    /// <summary>What stands before the dot of a call; null where that has no type.</summary>
    public Receiver? Of(InvocationExpressionSyntax call)
    {
        if (call.Expression is MemberAccessExpressionSyntax access)
            return Of(access.Expression);
        var conditional = call.Ancestors().OfType<ConditionalAccessExpressionSyntax>().FirstOrDefault(c => c.WhenNotNull.Span.Contains(call.SpanStart));
        return conditional is null ? null : Of(conditional.Expression) is { } receiver ? receiver with { Conditional = conditional } : null;
    }

    /// <summary>An expression whose type is a module, or a list of modules.</summary>
    public Receiver? Of(ExpressionSyntax expression)
    {
        var found = model.GetTypeInfo(expression, cancel).Type;
        if (found is ITypeParameterSymbol parameter)
            found = parameter.ConstraintTypes.FirstOrDefault(graph.Known.IsModule) ?? found;
        return found is null ? null : new Receiver(expression, ChainOf(expression), found);
    }

    /// <summary>The children that an expression names: <c>q_proj</c>, <c>this.mlp.up_proj</c>, <c>((Linear)proj!)</c>.</summary>
    private List<(ModelClass, ModelChild)> ChainOf(ExpressionSyntax expression)
    {
        switch (expression)
        {
            case ParenthesizedExpressionSyntax p:
                return ChainOf(p.Expression);
            case CastExpressionSyntax cast:
                return ChainOf(cast.Expression);
            case PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.SuppressNullableWarningExpression } sure:
                return ChainOf(sure.Operand);
            case BinaryExpressionSyntax { RawKind: (int)SyntaxKind.AsExpression } cast:
                return ChainOf(cast.Left);
            case IdentifierNameSyntax or MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax or BaseExpressionSyntax }:
                return model.GetSymbolInfo(expression, cancel).Symbol is { } own && FindChild(type, own) is { } child ? [child] : [];
            case MemberAccessExpressionSyntax access when ChainOf(access.Expression) is { Count: > 0 } outer:
                var (_, holder) = outer[outer.Count - 1];
                return holder.Shape == ChildShape.Composite && graph.ClassOf(holder.Type) is { } inner
                    && model.GetSymbolInfo(access, cancel).Symbol is { } member && FindChild(inner, member) is { } last ? [.. outer, last] : [];
            default:
                return [];
        }
    }

    private static (ModelClass, ModelChild)? FindChild(ModelClass type, ISymbol symbol) =>
        type.Find(symbol) is { IsList: false } child ? (type.Lineage.First(t => t.Own.Contains(child)), child) : null;
}
