using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>The names that a class gives to the modules of its Sequentials: the first strings of tuples, <c>("fc1", Linear(…))</c>.</summary>
internal static class SequentialNames
{
    public static IEnumerable<string> In(INamedTypeSymbol type) =>
        SourceOrder.PartsOf(type)
            .SelectMany(part => part.DescendantNodes().OfType<TupleExpressionSyntax>())
            .Select(tuple => tuple.Arguments[0].Expression)
            .OfType<LiteralExpressionSyntax>()
            .Where(literal => literal.IsKind(SyntaxKind.StringLiteralExpression))
            .Select(literal => literal.Token.ValueText)
            .Distinct();
}
