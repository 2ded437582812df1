using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>Modules that TorchSharp never comes to know, so that they do not train, move or save.</summary>
internal static class RegistrationChecks
{
    private static readonly HashSet<string> _registering = ["RegisterComponents", "register_module", "add_module", "register_parameter"];

    public static void Run(CheckContext context)
    {
        foreach (var root in context.Roots.Keys.Where(root => !root.Symbol.IsAbstract))
            CheckClass(context, root, "is a model by itself");
        var contents = new SequentialContents(context.Graph.Compilation, context.Graph.Known);
        foreach (var type in context.Reach.Classes.ToList())
        {
            foreach (var child in type.Own.Where(c => c.Shape == ChildShape.Sequential))
                foreach (var step in contents.Of(child) ?? [])
                    if (context.Graph.ClassOf(step) is { } module && !context.Roots.ContainsKey(module))
                        CheckClass(context, module, $"is a step of {type.Symbol.Name}.{child.Name}, and a Sequential does not see to it as a ModuleList does");
            CheckTuples(context, type);
        }
    }

    /// <summary>A class that nobody registers the fields of: whoever holds it in a field or ModuleList does, a Sequential does not.</summary>
    private static void CheckClass(CheckContext context, ModelClass type, string why)
    {
        if (!type.Children.Any(c => !c.IsList) || !KnowsBases(context, type) || type.Lineage.Any(Registers) || type.Symbol.Locations.FirstOrDefault(l => l.IsInSource) is not { SourceTree: { } tree } place)
            return;
        context.Diagnostics.Add("PG070", tree, place.SourceSpan, type.Symbol.Name, why);
    }

    /// <summary>Whether all base classes below TorchSharp's are of this compilation, so that their constructors can be read.</summary>
    private static bool KnowsBases(CheckContext context, ModelClass type) =>
        type.Lineage.Last().Symbol.BaseType is { } outermost && SymbolEqualityComparer.Default.Equals(outermost.ContainingAssembly, context.Graph.Known.Module.ContainingAssembly);

    private static bool Registers(ModelClass type) => SourceOrder.PartsOf(type.Symbol).SelectMany(part => part.DescendantNodes()).OfType<InvocationExpressionSyntax>().Any(call => call.Expression switch
    {
        IdentifierNameSyntax name => _registering.Contains(name.Identifier.ValueText),
        MemberAccessExpressionSyntax access => _registering.Contains(access.Name.Identifier.ValueText),
        _ => false,
    });

    /// <summary>TorchSharp registers fields that are modules; what a tuple holds is none.</summary>
    private static void CheckTuples(CheckContext context, ModelClass type)
    {
        foreach (var field in SourceOrder.MembersOf<IFieldSymbol>(type.Symbol).Where(f => !f.IsStatic && HoldsModule(context, f.Type, 0)))
            if ((field.AssociatedSymbol ?? field).Locations.FirstOrDefault(l => l.IsInSource) is { SourceTree: { } tree } place)
                context.Diagnostics.Add("PG071", tree, place.SourceSpan, type.Symbol.Name, (field.AssociatedSymbol ?? field).Name);
    }

    private static bool HoldsModule(CheckContext context, ITypeSymbol type, int depth) => depth < 4 && type is INamedTypeSymbol { IsTupleType: true } tuple
        && tuple.TupleElements.Any(element => context.Graph.Known.IsModule(element.Type) || KnownTypes.DerivesFrom(element.Type, context.Graph.Known.Parameter) || HoldsModule(context, element.Type, depth + 1));
}
