using Microsoft.CodeAnalysis;
using PeftGen.Generators.Diagnostics;
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
            {
                CheckMerge(context, method);
                CheckNeededInputs(context, root, method);
            }
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

    /// <summary>Inputs that slots replace: a model has to take them as parameters of a method that is run through an adapter.</summary>
    private static void CheckNeededInputs(CheckContext context, ModelClass root, DeclaredMethod method)
    {
        if (root.Symbol.IsAbstract)
            return;
        var entries = RootModelBuilder.EntryMethods(root, context.Scanner, context.Reach).ToList();
        foreach (var role in method.Claims.SelectMany(c => c.Inputs).Distinct())
        {
            if (entries.Count == 0 || entries.Any(e => RootModelBuilder.InputsOf(e.Symbol, context.Graph).Any(i => i.Role == role)))
                continue;
            // The only tensor without a role is likely to be it.
            var forward = context.Reach.ForwardOf(root);
            var free = forward?.Parameters.Where(p => context.Graph.Known.IsTensor(p.Type) && RootModelBuilder.RoleOf(p) is null).ToList() ?? [];
            var field = free is [{ DeclaringSyntaxReferences: [var only] }] ? only.GetSyntax() : null;
            var name = RootModelBuilder.RoleNames.First(r => r.Value == role).Key;
            context.Diagnostics.Add("PG042", method.Syntax.SyntaxTree, method.Syntax.Name.Span, field is null ? [] : [new(DiagnosticProperties.Input, role)],
                [method.Name, name, root.Symbol.Name, free is [var parameter] ? $"call its parameter {parameter.Name} so, or write [Input(InputRole.{role})] on it" : $"call the parameter that bears them so, or write [Input(InputRole.{role})] on it"],
                field is null ? [] : [field]);
        }
    }

    private static void CheckMerge(CheckContext context, DeclaredMethod method)
    {
        foreach (var property in DeclaredMethod.Properties(method.Type))
            if (DeclaredMethod.Has(property, "PreventsMergeAttribute") && method.ValueOf(property.Name)?.Value is true)
                context.Diagnostics.Add("PG034", method.Syntax.SyntaxTree, method.PlaceOf(property.Name).span, method.Name, property.Name);
    }
}
