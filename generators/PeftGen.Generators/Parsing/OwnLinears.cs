using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>A linear layer of a user's own.</summary>
/// <param name="Type">The class.</param>
/// <param name="Weight">Its matrix.</param>
/// <param name="Bias">Its bias; null: none.</param>
/// <param name="IsTransposed">Whether the matrix is <c>[in, out]</c>, and not <c>[out, in]</c> as TorchSharp's.</param>
internal sealed record OwnLinear(ModelClass Type, ModelChild Weight, ModelChild? Bias, bool IsTransposed);

/// <summary>
/// Tells from its body whether a class is a linear layer: a parameter multiplies the input, perhaps another is added, and there is nothing else to learn.
/// <c>functional.linear(x, w, b)</c> has a matrix <c>[out, in]</c>; <c>matmul(x, w)</c> and <c>addmm(b, x, w)</c> have <c>[in, out]</c>; a transposition turns it round.
/// </summary>
internal sealed class OwnLinears(ModelGraph graph, BodyScanner scanner)
{
    private readonly Dictionary<ModelClass, OwnLinear?> _known = [];

    public OwnLinear? Of(ITypeSymbol type)
    {
        if (graph.ClassOf(type) is not { } module)
            return null;
        if (!_known.TryGetValue(module, out var linear))
            _known[module] = linear = Read(module);
        return linear;
    }

    private OwnLinear? Read(ModelClass type)
    {
        var parameters = type.Children.ToList();
        if (parameters.Count is not (1 or 2) || parameters.Any(c => c.Shape != ChildShape.Parameter || c.IsList) || type.Symbol.IsAbstract || !graph.Known.IsTensorToTensor(type.Symbol))
            return null;
        var reads = type.Lineage.SelectMany(scanner.Scan).Where(s => s.Symbol.Name == "forward").SelectMany(s => s.Uses).OfType<ParameterUse>().Where(u => !u.IsWrite && u.Chain.Count == 1).ToList();
        var weights = reads.Select(r => (r.Target.child, turned: MatrixOf(r.Read))).Where(r => r.turned is not null).Distinct().ToList();
        if (weights is not [var (weight, isTransposed)])
            return null;
        var bias = parameters.FirstOrDefault(p => p != weight);
        return bias is null || reads.Where(r => r.Target.child == bias).All(r => IsAdded(r.Read)) ? new OwnLinear(type, weight, bias, isTransposed!.Value) : null;
    }

    /// <summary>Whether an expression that is a matrix is <c>[in, out]</c>; null where it is none.</summary>
    private static bool? MatrixOf(ExpressionSyntax read)
    {
        var (expression, isTurned) = Turned(read);
        return Consumer(expression) switch
        {
            ("linear", 1, _) => isTurned,
            ("matmul" or "mm", 1, false) or ("matmul" or "mm", 0, true) or ("addmm", 2, false) or ("addmm", 1, true) => !isTurned,
            _ => null,
        };
    }

    private static bool IsAdded(ExpressionSyntax read)
    {
        var expression = read.Parent is PostfixUnaryExpressionSyntax sure ? sure : read;
        return expression.Parent is BinaryExpressionSyntax { RawKind: (int)SyntaxKind.AddExpression } or IsPatternExpressionSyntax
            || expression.Parent is BinaryExpressionSyntax { RawKind: (int)SyntaxKind.EqualsExpression or (int)SyntaxKind.NotEqualsExpression }
            || Consumer(expression) is ("linear", 2, _) or ("addmm", 0, false) or ("add" or "add_", _, true)
            || (expression.Parent is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "addmm" } access && access.Expression == expression);
    }

    /// <summary>What an expression becomes by <c>.t()</c>, <c>.T</c>, <c>.mT</c> or <c>.transpose(…)</c>.</summary>
    private static (ExpressionSyntax, bool) Turned(ExpressionSyntax read)
    {
        var (expression, isTurned) = (read, false);
        while (true)
        {
            if (expression.Parent is PostfixUnaryExpressionSyntax or ParenthesizedExpressionSyntax)
                expression = (ExpressionSyntax)expression.Parent;
            else if (expression.Parent is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "T" or "mT" } property && property.Expression == expression)
                (expression, isTurned) = (property, !isTurned);
            else if (expression.Parent is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "t" or "transpose" or "transpose_" or "swapaxes", Parent: InvocationExpressionSyntax call } method && method.Expression == expression)
                (expression, isTurned) = (call, !isTurned);
            else
                return (expression, isTurned);
        }
    }

    /// <summary>The function that takes an expression, at which place, and whether it is called on its first argument.</summary>
    private static (string name, int place, bool isOnTensor) Consumer(ExpressionSyntax expression)
    {
        if (expression.Parent is not ArgumentSyntax { NameColon: null, Parent: ArgumentListSyntax { Parent: InvocationExpressionSyntax call } list } argument)
            return default;
        var place = list.Arguments.IndexOf(argument);
        return call.Expression switch
        {
            IdentifierNameSyntax name => (name.Identifier.ValueText, place, false),
            MemberAccessExpressionSyntax access => (access.Name.Identifier.ValueText, place, !IsNamespaceOfFunctions(access.Expression)),
            _ => default,
        };
    }

    private static bool IsNamespaceOfFunctions(ExpressionSyntax expression) => (expression as MemberAccessExpressionSyntax)?.Name.Identifier.ValueText is "functional" or "linalg"
        || expression is IdentifierNameSyntax { Identifier.ValueText: "torch" or "functional" or "linalg" or "F" };
}
