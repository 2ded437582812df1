using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.CodeAnalysis.Operations;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Norms below a root that keep running statistics: these are the base's, and training moves them although nothing else of it changes.</summary>
internal static class StatisticsCheck
{
    private const string Switch = "track_running_stats";

    public static void Run(CheckContext context)
    {
        foreach (var (root, methods) in context.Roots.OrderBy(r => r.Key.Symbol.ToDisplayString(), System.StringComparer.Ordinal).Select(r => (r.Key, r.Value)))
            foreach (var type in context.Walkers[root].Holders.Keys.SelectMany(held => held.Lineage).Distinct())
                foreach (var (norm, made) in Norms(context, type))
                    if (!methods.GroupBy(m => m.Group).All(group => TrainsWhole(context, type, norm, [.. group])))
                        context.Diagnostics.Add("PG075", norm.SyntaxTree, norm.Span, made.Name, root.Symbol.Name);
    }

    /// <summary>The calls in a class that make a norm with statistics: in an initializer, a constructor, or as an element of a sequence or list.</summary>
    private static IEnumerable<(ExpressionSyntax norm, ITypeSymbol made)> Norms(CheckContext context, ModelClass type) =>
        from part in SourceOrder.PartsOf(type.Symbol)
        from call in part.DescendantNodes(node => node == part || node is not TypeDeclarationSyntax).OfType<InvocationExpressionSyntax>()
        where NameOf(call) is { } name && (name.StartsWith("BatchNorm", System.StringComparison.Ordinal) || name.StartsWith("InstanceNorm", System.StringComparison.Ordinal))
        let made = context.Scanner.ModelOf(call.SyntaxTree).GetOperation(call) as IInvocationOperation
        where made?.Type is not null && context.Graph.Known.IsModule(made.Type) && Keeps(made)
        select ((ExpressionSyntax)call, made.Type);

    private static string? NameOf(InvocationExpressionSyntax call) => call.Expression switch
    {
        IdentifierNameSyntax name => name.Identifier.ValueText,
        MemberAccessExpressionSyntax access => access.Name.Identifier.ValueText,
        _ => null,
    };

    /// <summary>Whether the norm keeps statistics for sure: the argument, or the default, says so.</summary>
    private static bool Keeps(IInvocationOperation made) =>
        made.Arguments.FirstOrDefault(a => a.Parameter?.Name == Switch)?.Value.ConstantValue is { HasValue: true, Value: true };

    /// <summary>Whether the field that a norm is made for trains in a copy in a group, which has statistics of its own.</summary>
    private static bool TrainsWhole(CheckContext context, ModelClass type, ExpressionSyntax norm, IReadOnlyList<DeclaredMethod> methods)
    {
        var child = type.Own.FirstOrDefault(c => AssignedValues.Of(c).Any(value => value.Span.Contains(norm.Span) && value.SyntaxTree == norm.SyntaxTree));
        return child is not null && context.Matches.Any(m => m.IsSite && m.Claim.Kind == SiteKind.Parameter && methods.Contains(m.Claim.Method) && m.Place.Child == child && m.Place.Path.EndsWith(".weight", System.StringComparison.Ordinal));
    }
}
