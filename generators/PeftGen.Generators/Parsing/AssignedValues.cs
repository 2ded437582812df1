using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>What the code puts into a field or property.</summary>
internal static class AssignedValues
{
    /// <summary>All that the class which declares a child gives it: where it is declared, and by assignment.</summary>
    public static List<ExpressionSyntax> Of(ModelChild child)
    {
        var values = new List<ExpressionSyntax>();
        foreach (var part in SourceOrder.PartsOf(child.Symbol.ContainingType))
            foreach (var node in part.DescendantNodes())
                switch (node)
                {
                    case VariableDeclaratorSyntax { Initializer.Value: var value, Identifier.ValueText: var name, Parent.Parent: FieldDeclarationSyntax } when name == child.Name:
                        values.Add(value);
                        break;
                    case PropertyDeclarationSyntax { Initializer.Value: var value, Identifier.ValueText: var name } when name == child.Name:
                        values.Add(value);
                        break;
                    case AssignmentExpressionSyntax assignment when Names(assignment.Left, child):
                        values.Add(assignment.Right);
                        break;
                }

        return values;
    }

    /// <summary>The names of the members of it that the class which declares a child reads or calls.</summary>
    public static IEnumerable<string> AccessesTo(ModelChild child) => SourceOrder.PartsOf(child.Symbol.ContainingType).SelectMany(part => part.DescendantNodes()).OfType<MemberAccessExpressionSyntax>()
        .Where(access => Names(access.Expression, child)).Select(access => access.Name.Identifier.ValueText);

    /// <summary>Whether an expression is the child of the same object.</summary>
    public static bool Names(ExpressionSyntax expression, ModelChild child) => expression switch
    {
        IdentifierNameSyntax name => name.Identifier.ValueText == child.Name,
        MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax } access => access.Name.Identifier.ValueText == child.Name,
        _ => false,
    };
}
