using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Code that no overload can be made of: what it runs, it runs as the base does.</summary>
internal static class ConstructorChecks
{
    public static void Run(CheckContext context)
    {
        // To bind a constructor takes time, and nearly none runs a layer.
        var names = new HashSet<string>(context.Reach.Methods.Select(m => m.Name)) { "forward", "call" };
        foreach (var type in context.Reach.Classes.ToList())
            foreach (var part in SourceOrder.PartsOf(type.Symbol))
                foreach (var member in part.Members)
                {
                    var (body, what) = member switch
                    {
                        ConstructorDeclarationSyntax constructor => ((SyntaxNode?)constructor.Body ?? constructor.ExpressionBody, "a constructor"),
                        DestructorDeclarationSyntax destructor => ((SyntaxNode?)destructor.Body ?? destructor.ExpressionBody, "a finalizer"),
                        OperatorDeclarationSyntax @operator => ((SyntaxNode?)@operator.Body ?? @operator.ExpressionBody, "an operator"),
                        ConversionOperatorDeclarationSyntax conversion => ((SyntaxNode?)conversion.Body ?? conversion.ExpressionBody, "an operator"),
                        _ => (null, ""),
                    };
                    if (body is null || !body.DescendantNodes().OfType<SimpleNameSyntax>().Any(n => names.Contains(n.Identifier.ValueText)))
                        continue;
                    foreach (var use in context.Scanner.ScanOther(type, body))
                        if (use is LayerUse or NodeUse or SelfUse or MethodGroupUse or ResidualUse or NormedUse && context.Reach.Reaches(type, use))
                            context.Diagnostics.Add("PG033", use.Node.SyntaxTree, use.Node.Span, use.Node.ToString(), what);
                }
    }
}
