using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Declarations that the compiler can tell to be in vain.</summary>
internal static class DeclarationChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var pair in context.Roots)
        {
            var (root, methods) = (pair.Key, pair.Value);
            if (methods.Count == 0)
                continue;
            CheckRuns(context, root, methods[0]);
            CheckInputs(context, root);
            foreach (var method in methods)
                CheckMerge(context, method);
        }
    }

    private static void CheckRuns(CheckContext context, ModelClass root, DeclaredMethod method)
    {
        if (!root.Symbol.IsAbstract || context.Graph.HasConcrete(root))
            return;
        context.Diagnostics.Add("PG021", method.Syntax.SyntaxTree, method.Syntax.Span, method.Name, root.Symbol.Name);
    }

    private static void CheckInputs(CheckContext context, ModelClass root)
    {
        foreach (var parameter in root.Symbol.GetMembers().OfType<IMethodSymbol>().SelectMany(m => m.Parameters))
            if (DeclaredMethod.AttributesOf(parameter, "InputAttribute").FirstOrDefault()?.ApplicationSyntaxReference is { } place
                && !SymbolEqualityComparer.Default.Equals(parameter.Type, context.Graph.Known.Tensor))
                context.Diagnostics.Add("PG028", place.SyntaxTree, place.Span, parameter.Name, parameter.Type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat));
    }

    private static void CheckMerge(CheckContext context, DeclaredMethod method)
    {
        foreach (var property in DeclaredMethod.Properties(method.Type))
            if (DeclaredMethod.Has(property, "PreventsMergeAttribute") && method.ValueOf(property.Name)?.Value is true)
                context.Diagnostics.Add("PG034", method.Syntax.SyntaxTree, method.PlaceOf(property.Name).span, method.Name, property.Name);
    }
}
