using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>Finds in one body where the output of a sub-layer meets its residual, and which sub-layer it is.</summary>
/// <param name="graph">The classes.</param>
/// <param name="model">The meaning of the body's file.</param>
/// <param name="uses">What was found in the body before; norms of sums and intrinsics are among it.</param>
/// <param name="cancel">Ends it early.</param>
internal sealed class ResidualFinder(ModelGraph graph, SemanticModel model, List<Use> uses, CancellationToken cancel)
{
    private readonly Dictionary<SyntaxNode, Use> _byNode = uses.GroupBy(u => (SyntaxNode)u.Node).ToDictionary(g => g.Key, g => g.First());

    /// <summary>All uses of the body in the order of its text, an outer one before what lies in it.</summary>
    public List<Use> AddTo(SyntaxNode body)
    {
        if (!uses.Any(use => use is LayerUse or NodeUse or ResidualUse))
            return uses;
        var known = new HashSet<SyntaxNode>(uses.OfType<ResidualUse>().Select(use => use.Sum).OfType<SyntaxNode>());
        var found = uses.Select(use => use is ResidualUse residual ? WithProducer(body, residual) : use).ToList();
        found.AddRange(body.DescendantNodes().Where(node => !known.Contains(node)).Select(node => SumAt(body, node)).OfType<ResidualUse>());
        return [.. found.OrderBy(use => use.Node.SpanStart).ThenByDescending(use => use.Node.Span.End)];
    }

    private ResidualUse WithProducer(SyntaxNode body, ResidualUse residual)
    {
        if (residual.Sum is not BinaryExpressionSyntax sum)
            return residual with { Producer = ((InvocationExpressionSyntax)residual.Site).ArgumentList.Arguments is [{ } h, ..] ? ProducerOf(body, h.Expression) ?? [] : [] };
        // Which is the output shows in the code; where it does not, it stands first, as in h + r.
        var (left, right) = (ProducerOf(body, sum.Left), ProducerOf(body, sum.Right));
        return left is null && right is not null ? residual with { OutputIsLast = true, Producer = right } : residual with { Producer = left ?? [] };
    }

    /// <summary><c>r + mlp.forward(x)</c>, <c>x += h</c> after <c>h = mlp.forward(x)</c>, <c>x.add(dropout.forward(mlp.forward(x)))</c>.</summary>
    private ResidualUse? SumAt(SyntaxNode body, SyntaxNode node)
    {
        var (left, right) = node switch
        {
            BinaryExpressionSyntax { RawKind: (int)SyntaxKind.AddExpression } sum => (sum.Left, sum.Right),
            AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.AddAssignmentExpression, Left: IdentifierNameSyntax variable } sum => (variable, sum.Right),
            InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "add" } add, ArgumentList.Arguments: [{ NameColon: null } only] } => (add.Expression, only.Expression),
            _ => ((ExpressionSyntax?)null, (ExpressionSyntax?)null),
        };
        if (left is null || right is null)
            return null;
        var (first, second) = (ProducerOf(body, left), ProducerOf(body, right));
        if (first is null == second is null || !IsStream(body, first is null ? left : right) || !IsTensor(left) || !IsTensor(right))
            return null;
        return new ResidualUse((ExpressionSyntax)node, null, (ExpressionSyntax)node, first is null, (first ?? second)!);
    }

    /// <summary>Whether an expression can be the stream that outputs are added to: a variable, or a sum with an output already.</summary>
    private bool IsStream(SyntaxNode body, ExpressionSyntax expression) => Plain(expression) switch
    {
        IdentifierNameSyntax name => model.GetSymbolInfo(name, cancel).Symbol is ILocalSymbol or IParameterSymbol,
        BinaryExpressionSyntax sum => SumAt(body, sum) is not null,
        _ => false,
    };

    private bool IsTensor(ExpressionSyntax expression) => model.GetTypeInfo(expression, cancel).Type is { } type && graph.Known.IsTensor(type);

    /// <summary>The children whose output an expression is, at once, through a variable, through dropout or scaling; null: it is none's.</summary>
    private IReadOnlyList<(ModelClass owner, ModelChild child)>? ProducerOf(SyntaxNode body, ExpressionSyntax expression)
    {
        var plain = Plain(expression);
        if (_byNode.TryGetValue(plain, out var use) && use is LayerUse or NodeUse)
        {
            var receiver = use is LayerUse layer ? layer.Receiver : ((NodeUse)use).Receiver;
            if (receiver.Type.Name.StartsWith("Dropout", StringComparison.Ordinal) || receiver.Type.Name == "DropPath")
                return FirstArgument((InvocationExpressionSyntax)plain) is { } dropped ? ProducerOf(body, dropped) : null;
            return receiver.IsDirect && receiver.Conditional is null && !receiver.Type.Name.StartsWith("Embedding", StringComparison.Ordinal) ? receiver.Chain : null;
        }

        return plain switch
        {
            IdentifierNameSyntax name => Assignments.Last(body, name.Identifier.ValueText, name.SpanStart) is { } value ? ProducerOf(body, value) : null,
            BinaryExpressionSyntax { RawKind: (int)SyntaxKind.MultiplyExpression } scaled => ProducerOf(body, scaled.Left) ?? ProducerOf(body, scaled.Right),
            InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax { Name.Identifier.ValueText: "dropout" } } dropout => FirstArgument(dropout) is { } dropped ? ProducerOf(body, dropped) : null,
            _ => null,
        };
    }

    private static ExpressionSyntax? FirstArgument(InvocationExpressionSyntax call) => call.ArgumentList.Arguments.FirstOrDefault()?.Expression;

    private static ExpressionSyntax Plain(ExpressionSyntax expression) => expression switch
    {
        ParenthesizedExpressionSyntax inner => Plain(inner.Expression),
        PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.SuppressNullableWarningExpression } sure => Plain(sure.Operand),
        _ => expression,
    };
}

/// <summary>What variables of a body hold.</summary>
internal static class Assignments
{
    /// <summary>The value that a variable was given last before a place, in the order of the text; null: none is seen.</summary>
    public static ExpressionSyntax? Last(SyntaxNode body, string name, int before) => body.DescendantNodes().Where(n => n.SpanStart < before).Select(n => n switch
    {
        VariableDeclaratorSyntax { Initializer.Value: var value } variable when variable.Identifier.ValueText == name => value,
        AssignmentExpressionSyntax { RawKind: (int)SyntaxKind.SimpleAssignmentExpression, Left: IdentifierNameSyntax left, Right: var value } when left.Identifier.ValueText == name && !value.Span.Contains(before) => value,
        AssignmentExpressionSyntax { Left: IdentifierNameSyntax left } changed when left.Identifier.ValueText == name && !changed.Span.Contains(before) => changed,
        _ => null,
    }).LastOrDefault(v => v is not null);
}
