using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>What compiled methods do that an adapter does not survive, or does not learn from.</summary>
internal static class BodyChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var scan in context.Compiled.ToList())
        {
            CheckWrites(context, scan);
            CheckDynamic(context, scan);
            foreach (var use in scan.Uses.Where(use => context.Reach.Reaches(scan.Type, use)))
            {
                if (use is LayerUse or NodeUse or ResidualUse && context.Reach.IsModuleForward(scan.Symbol) && WithoutGradients(use.Node) is { } mode)
                    context.Diagnostics.Add("PG029", use.Node.SyntaxTree, use.Node.Span, use.Node.ToString(), mode);
                if (use is ResidualUse or AttentionSiteUse && context.Sites.Bodies.Contains((scan.Type, use is AttentionSiteUse ? SiteKind.Attention : SiteKind.Residual))
                    && use.Node.Ancestors().TakeWhile(a => a is not MemberDeclarationSyntax).Any(a => a is ForStatementSyntax or ForEachStatementSyntax or WhileStatementSyntax or DoStatementSyntax))
                    context.Diagnostics.Add("PG037", use.Node.SyntaxTree, use.Node.Span, use is AttentionSiteUse ? "attention" : "residual");
            }
        }
    }

    /// <summary>State in the module is shared by all adapters on it.</summary>
    private static void CheckWrites(CheckContext context, MethodScan scan)
    {
        var model = context.Scanner.ModelOf(scan.Syntax.SyntaxTree);
        foreach (var node in scan.Syntax.DescendantNodes())
        {
            var written = node switch
            {
                AssignmentExpressionSyntax assignment => assignment.Left,
                PostfixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.PostIncrementExpression or (int)SyntaxKind.PostDecrementExpression } postfix => postfix.Operand,
                PrefixUnaryExpressionSyntax { RawKind: (int)SyntaxKind.PreIncrementExpression or (int)SyntaxKind.PreDecrementExpression } prefix => prefix.Operand,
                _ => null,
            };
            if (written is not (IdentifierNameSyntax or MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax }))
                continue;
            if (model.GetSymbolInfo(written).Symbol is { IsStatic: false } symbol and (IFieldSymbol or IPropertySymbol) && scan.Type.Has(symbol))
                context.Diagnostics.Add("PG015", written.SyntaxTree, written.Span, scan.Symbol.Name, symbol.Name);
        }
    }

    private static void CheckDynamic(CheckContext context, MethodScan scan)
    {
        var model = context.Scanner.ModelOf(scan.Syntax.SyntaxTree);
        foreach (var call in scan.Syntax.DescendantNodes().OfType<InvocationExpressionSyntax>())
            if (call.Expression is MemberAccessExpressionSyntax { Name.Identifier.ValueText: "forward" or "call" } access && model.GetTypeInfo(access.Expression).Type?.TypeKind == TypeKind.Dynamic)
                context.Diagnostics.Add("PG035", call.SyntaxTree, call.Span, access.Expression.ToString());
    }

    /// <summary>The mode, no_grad or inference_mode, under which an expression runs for sure; null: none.</summary>
    private static string? WithoutGradients(SyntaxNode node)
    {
        for (var current = node; current.Parent is { } parent and not MemberDeclarationSyntax; current = parent)
        {
            var opened = parent switch
            {
                UsingStatementSyntax block when block.Statement == current => ModeIn((SyntaxNode?)block.Expression ?? block.Declaration),
                BlockSyntax block => block.Statements.TakeWhile(s => s != current).OfType<LocalDeclarationStatementSyntax>()
                    .Where(s => s.UsingKeyword.IsKind(SyntaxKind.UsingKeyword)).Select(ModeIn).FirstOrDefault(m => m is not null),
                _ => null,
            };
            if (opened is not null)
                return opened;
        }

        return null;
    }

    private static string? ModeIn(SyntaxNode? opening) => opening?.DescendantNodesAndSelf().OfType<InvocationExpressionSyntax>()
        .Select(c => c.Expression switch { IdentifierNameSyntax name => name.Identifier.ValueText, MemberAccessExpressionSyntax access => access.Name.Identifier.ValueText, _ => null })
        .FirstOrDefault(n => n is "no_grad" or "inference_mode");
}
