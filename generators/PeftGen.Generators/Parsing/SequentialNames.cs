using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>The names that a class gives to the modules of its Sequentials: the first strings of tuples, <c>("fc1", Linear(…))</c>.</summary>
internal static class SequentialNames
{
    /// <param name="type">The class.</param>
    /// <param name="isDictionary">Whether keys of dictionaries are asked for, which may have any characters but a dot.</param>
    public static IEnumerable<string> In(INamedTypeSymbol type, bool isDictionary = false) =>
        SourceOrder.PartsOf(type)
            .SelectMany(part => part.DescendantNodes())
            .Select(node => node switch
            {
                TupleExpressionSyntax tuple => tuple.Arguments[0].Expression,
                // names["q"], also within an initializer
                BracketedArgumentListSyntax { Arguments: [{ Expression: var index }] } => index,
                // Add("q", …), register_module("q", …)
                ArgumentListSyntax { Arguments: [{ Expression: var first }, _] } => first,
                // new() { { "q", … } }
                InitializerExpressionSyntax { Expressions: [var key, _] } => key,
                _ => null,
            })
            .OfType<LiteralExpressionSyntax>()
            .Where(literal => literal.IsKind(SyntaxKind.StringLiteralExpression))
            .Select(literal => literal.Token.ValueText)
            .Where(name => name.Length > 0 && name.All(c => char.IsLetterOrDigit(c) || c is '_' or '.' or '-' || (isDictionary && c != '*')))
            .Distinct();
}
