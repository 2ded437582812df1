using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Flow;

namespace PeftGen.Generators.Parsing;

/// <summary>Two tensors that are added.</summary>
/// <param name="Operation">The operation.</param>
/// <param name="Left">The first operand.</param>
/// <param name="Right">The second.</param>
internal sealed record Sum(IOperation Operation, IOperation Left, IOperation Right)
{
    public ExpressionSyntax Syntax => (ExpressionSyntax)Operation.Syntax;

    /// <summary>Whether code may hold a sum, by its tokens.</summary>
    public static bool MayBeIn(SyntaxNode body) => body.DescendantNodes().Any(n => n.IsKind(SyntaxKind.AddExpression) || n.IsKind(SyntaxKind.AddAssignmentExpression)
        || n is SimpleNameSyntax { Identifier.ValueText: "add" or "add_" });

    /// <summary><c>a + b</c>, <c>a += b</c>, <c>a.add(b)</c>, <c>a.add_(b)</c> or <c>torch.add(a, b)</c>; null: an operation is none of these.</summary>
    public static Sum? Of(IOperation operation, KnownTypes known)
    {
        var (left, right) = operation switch
        {
            IBinaryOperation { OperatorKind: BinaryOperatorKind.Add, Syntax: BinaryExpressionSyntax } sum => (sum.LeftOperand, sum.RightOperand),
            ICompoundAssignmentOperation { OperatorKind: BinaryOperatorKind.Add, Syntax: AssignmentExpressionSyntax { Left: IdentifierNameSyntax } } sum => (sum.Target, sum.Value),
            IInvocationOperation { TargetMethod.Name: "add" or "add_", Instance: { } instance, Syntax: InvocationExpressionSyntax { Expression: MemberAccessExpressionSyntax, ArgumentList.Arguments: [{ NameColon: null }] } } sum => (instance, sum.Arguments.First(a => a.Parameter?.Ordinal == 0).Value),
            IInvocationOperation { TargetMethod: { Name: "add", IsStatic: true, IsExtensionMethod: false }, Syntax: InvocationExpressionSyntax { ArgumentList.Arguments: [{ NameColon: null }, { NameColon: null }] } } sum => (sum.Arguments[0].Value, sum.Arguments[1].Value),
            _ => ((IOperation?)null, (IOperation?)null),
        };
        return left?.Type is { } first && right?.Type is { } second && known.IsTensor(first) && known.IsTensor(second) ? new Sum(operation, left, right) : null;
    }
}

/// <summary>A sum that is no residual.</summary>
/// <param name="Syntax">It.</param>
/// <param name="Why">Why not.</param>
/// <param name="HasOutput">Whether some module's output is in it all the same.</param>
internal sealed record OtherSum(ExpressionSyntax Syntax, string Why, bool HasOutput)
{
    public override string ToString() => $"{System.IO.Path.GetFileName(Syntax.SyntaxTree.FilePath)} line {Syntax.GetLocation().GetLineSpan().StartLinePosition.Line + 1}, '{Syntax}': {Why}";
}
