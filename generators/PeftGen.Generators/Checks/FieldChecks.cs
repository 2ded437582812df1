using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Fields whose modules TorchSharp registers otherwise than one would think.</summary>
internal static class FieldChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var type in context.Reach.Classes.ToList())
        {
            var registered = Registrations(type).ToList();
            var paths = new Dictionary<string, ModelChild>();
            foreach (var child in type.Own)
            {
                CheckName(context, child, paths);
                if (!context.Reach.IsCompiled(type, child))
                    continue;
                if (child.IsList && !IsModule(context, child) && registered.Count == 0)
                    Report(context, "PG024", child, type.Symbol.Name, child.Name);
                if (child.Symbol is IPropertySymbol && child.Path == child.Name && registered.All(r => r.field != child.Name))
                    Report(context, "PG025", child, type.Symbol.Name, child.Name);
                foreach (var (name, field, syntax) in registered.Where(r => r.field == child.Name && r.name != child.Path))
                    context.Diagnostics.Add("PG026", syntax.SyntaxTree, syntax.Span, field!, name!, child.Path);
            }
        }
    }

    private static bool IsModule(CheckContext context, ModelChild child) =>
        child.Symbol is IFieldSymbol field ? context.Graph.Known.IsModule(field.Type) : context.Graph.Known.IsModule(((IPropertySymbol)child.Symbol).Type);

    private static void CheckName(CheckContext context, ModelChild child, Dictionary<string, ModelChild> paths)
    {
        var place = DeclaredMethod.AttributesOf(child.Symbol, "NameAttribute").FirstOrDefault()?.ApplicationSyntaxReference;
        var wrong = place is null ? null
            : child.Path.Split('.').Any(segment => segment.Length == 0 || segment.Any(char.IsWhiteSpace)) ? "has an empty or blank segment; write names separated by dots"
            : paths.TryGetValue(child.Path, out var other) ? $"is the path of {other.Name}, too; give each its own"
            : null;
        if (wrong is not null)
            context.Diagnostics.Add("PG027", place!.SyntaxTree, place.Span, child.Path, child.Name, wrong);
        paths[child.Path] = child;
    }

    /// <summary>Calls of <c>register_module("name", field)</c>; a name that is computed, or a field met through a loop, counts with nothing known.</summary>
    private static IEnumerable<(string? name, string? field, ExpressionSyntax syntax)> Registrations(ModelClass type) =>
        from part in SourceOrder.PartsOf(type.Symbol)
        from call in part.DescendantNodes().OfType<InvocationExpressionSyntax>()
        where call.Expression is IdentifierNameSyntax { Identifier.ValueText: "register_module" } or MemberAccessExpressionSyntax { Expression: ThisExpressionSyntax, Name.Identifier.ValueText: "register_module" }
        where call.ArgumentList.Arguments.Count == 2
        let name = call.ArgumentList.Arguments[0].Expression
        let field = call.ArgumentList.Arguments[1].Expression
        select ((name as LiteralExpressionSyntax)?.Token.ValueText, name is LiteralExpressionSyntax ? (field as IdentifierNameSyntax)?.Identifier.ValueText : null, name);

    private static void Report(CheckContext context, string id, ModelChild child, params string[] arguments)
    {
        if (child.Symbol.Locations.FirstOrDefault(l => l.IsInSource) is { } place)
            context.Diagnostics.Add(id, place.SourceTree!, place.SourceSpan, arguments);
    }
}
