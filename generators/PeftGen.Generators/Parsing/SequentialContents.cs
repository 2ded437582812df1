using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Parsing;

/// <summary>What a class puts into its Sequentials, where its own code shows all of it: <c>net = Sequential(("fc", Linear(4, 4)), ("act", ReLU()))</c>.</summary>
internal sealed class SequentialContents(Compilation compilation, KnownTypes known)
{
    /// <summary>The types of the modules in a Sequential; null: the code does not show them all, and any module may be there.</summary>
    public IReadOnlyList<ITypeSymbol>? Of(ModelChild child)
    {
        if (child.IsList || child.Shape != ChildShape.Sequential)
            return null;
        // What is added later may be anything.
        if (AssignedValues.AccessesTo(child).Any(name => name is "Add" or "append" or "add_module" or "register_module"))
            return null;
        var values = AssignedValues.Of(child);
        var types = new List<ITypeSymbol>();
        foreach (var value in values)
        {
            if (value is not InvocationExpressionSyntax { Expression: var callee, ArgumentList.Arguments: { Count: > 0 } steps } || NameOf(callee) != "Sequential")
                return null;
            var model = compilation.GetSemanticModel(value.SyntaxTree);
            foreach (var step in steps)
            {
                var module = step.Expression is TupleExpressionSyntax { Arguments: [_, var second] } ? second.Expression : step.Expression;
                if (model.GetTypeInfo(module).Type is not { } type || !known.IsModule(type) || type.IsAbstract)
                    return null;
                types.Add(type);
            }
        }

        return values.Count == 0 ? null : types;
    }

    private static string? NameOf(ExpressionSyntax expression) => expression switch
    {
        IdentifierNameSyntax name => name.Identifier.ValueText,
        MemberAccessExpressionSyntax access => access.Name.Identifier.ValueText,
        _ => null,
    };
}
