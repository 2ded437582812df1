using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Rewriting;

/// <summary>Tells of two places in a body whether only one of them ever runs.</summary>
internal static class Alternatives
{
    public static bool Are(SyntaxNode first, SyntaxNode second)
    {
        if (first.SyntaxTree != second.SyntaxTree)
            return false;
        if (first.SpanStart > second.SpanStart)
            (first, second) = (second, first);
        return first.Ancestors().Any(a => a switch
        {
            IfStatementSyntax choice => choice.Statement.Span.Contains(first.Span)
                && (choice.Else?.Span.Contains(second.Span) == true || (EndsTheBody(choice.Statement) && choice.Parent?.Span.Contains(second.Span) == true && second.SpanStart > choice.Span.End)),
            ConditionalExpressionSyntax choice => choice.WhenTrue.Span.Contains(first.Span) && choice.WhenFalse.Span.Contains(second.Span),
            SwitchSectionSyntax section => section.Parent!.Span.Contains(second.Span) && !section.Span.Contains(second.Span),
            SwitchExpressionArmSyntax arm => arm.Parent!.Span.Contains(second.Span) && !arm.Span.Contains(second.Span),
            _ => false,
        });
    }

    private static bool EndsTheBody(StatementSyntax statement) => statement switch
    {
        ReturnStatementSyntax or ThrowStatementSyntax => true,
        BlockSyntax block => block.Statements.LastOrDefault() is { } last && EndsTheBody(last),
        _ => false,
    };
}
