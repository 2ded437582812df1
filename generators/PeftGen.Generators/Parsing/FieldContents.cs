using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>What a class puts into a field of an abstract type, where its own code shows all of it: <c>private readonly Module&lt;Tensor, Tensor&gt; act = ReLU();</c></summary>
internal sealed class FieldContents(Compilation compilation, KnownTypes known)
{
    /// <summary>The types of the modules that may be in a field; null: the code does not show them all, and any module may be there.</summary>
    public IReadOnlyList<ITypeSymbol>? Of(ModelChild child)
    {
        // What others can write may be anything.
        if (child.IsList || child.Symbol is not (IFieldSymbol { DeclaredAccessibility: Accessibility.Private } or IFieldSymbol { IsReadOnly: true } or IPropertySymbol { SetMethod: null }) || IsWrittenElsewhere(child))
            return null;
        var values = AssignedValues.Of(child).SelectMany(Alternatives).ToList();
        var types = values.Select(value => compilation.GetSemanticModel(value.SyntaxTree).GetTypeInfo(value).Type).ToList();
        // A sequence holds others.
        return values.Count == 0 || types.Any(type => type is null || !known.IsModule(type) || type.IsAbstract || KnownTypes.DerivesFrom(type, known.Sequential)) ? null : [.. types.OfType<ITypeSymbol>()];
    }

    /// <summary>By another reference than its own: <c>other.act = …</c>, or as an argument that may be given a value.</summary>
    private static bool IsWrittenElsewhere(ModelChild child) => SourceOrder.PartsOf(child.Symbol.ContainingType).SelectMany(part => part.DescendantNodes()).Any(node => node switch
    {
        AssignmentExpressionSyntax { Left: var left } assignment => NameOf(left) == child.Name && !(assignment.IsKind(SyntaxKind.SimpleAssignmentExpression) && AssignedValues.Names(left, child))
            || left is TupleExpressionSyntax tuple && tuple.Arguments.Any(a => NameOf(a.Expression) == child.Name),
        ArgumentSyntax { RefKindKeyword.RawKind: not 0 } argument => NameOf(argument.Expression) == child.Name,
        _ => false,
    });

    private static string? NameOf(ExpressionSyntax expression) => expression switch
    {
        IdentifierNameSyntax name => name.Identifier.ValueText,
        MemberAccessExpressionSyntax access => access.Name.Identifier.ValueText,
        _ => null,
    };

    /// <summary><c>gated ? new Gate() : new Linear(…)</c>, and a switch, are one of several.</summary>
    private static IEnumerable<ExpressionSyntax> Alternatives(ExpressionSyntax value) => value switch
    {
        ParenthesizedExpressionSyntax inner => Alternatives(inner.Expression),
        CastExpressionSyntax cast => Alternatives(cast.Expression),
        ConditionalExpressionSyntax either => Alternatives(either.WhenTrue).Concat(Alternatives(either.WhenFalse)),
        SwitchExpressionSyntax several => several.Arms.Where(arm => arm.Expression is not ThrowExpressionSyntax).SelectMany(arm => Alternatives(arm.Expression)),
        _ => [value],
    };
}
