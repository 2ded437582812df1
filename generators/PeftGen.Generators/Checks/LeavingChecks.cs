using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Leaving;
using PeftGen.Generators.Parsing;
using PeftGen.Generators.Rewriting;

namespace PeftGen.Generators.Checks;

/// <summary>What leaves the compiled code outside of bodies that are rewritten.</summary>
internal static class LeavingChecks
{
    public static void Run(CheckContext context)
    {
        foreach (var type in context.Reach.Classes.ToList())
        {
            foreach (var constructor in SourceOrder.PartsOf(type.Symbol).SelectMany(part => part.Members).OfType<ConstructorDeclarationSyntax>())
                foreach (var use in context.Scanner.Leaving.OfConstructor(type, constructor))
                    Refuse(context, type, use);
            // What is kept in a field while no compiled body runs: the field has it all the same.
            foreach (var method in context.Scanner.Scan(type).Where(m => !context.Reach.Methods.Contains(m.Symbol)))
                foreach (var use in method.Uses.OfType<LeavingUse>().Where(use => use.Sinks.Any(s => s.Field is not null || s.In is IFieldSymbol or IPropertySymbol)))
                    Refuse(context, type, use);
            CheckOverrides(context, type);
        }
    }

    private static void Refuse(CheckContext context, ModelClass type, Use use)
    {
        if (use is not MemberUse && context.Reach.Reaches(type, use) && Unsupported.Why(use) is { } refusal)
            context.Diagnostics.Add("PG010", refusal.place.SyntaxTree, refusal.place.Span, refusal.what, refusal.why);
    }

    /// <summary>Methods that override what a library's class calls by itself.</summary>
    private static void CheckOverrides(CheckContext context, ModelClass type)
    {
        var runsLibrary = context.Reach.ForwardOf(type) is null && type.Symbol.BaseType is { } b && !type.Symbol.IsAbstract && LibraryForward(context, type) is not null;
        foreach (var scan in context.Scanner.Scan(type).Where(m => context.Reach.Methods.Contains(m.Symbol) && !context.Reach.IsModuleForward(m.Symbol)))
            if (Root(scan.Symbol) is { } root && root.DeclaringSyntaxReferences.IsEmpty && !KnownTypes.Implements(root.ContainingType, context.Graph.Known.Adaptable)
                && !SymbolEqualityComparer.Default.Equals(root.ContainingAssembly, context.Graph.Known.Module.ContainingAssembly) && root.ContainingType.SpecialType != SpecialType.System_Object)
                context.Diagnostics.Add(runsLibrary ? "PG052" : "PG051", scan.Syntax.SyntaxTree, scan.Syntax.Identifier.Span, $"{type.Symbol.Name}.{scan.Symbol.Name}", root.ContainingType.Name);
    }

    /// <summary>The forward that a class has from another assembly; null: none with code.</summary>
    private static IMethodSymbol? LibraryForward(CheckContext context, ModelClass type)
    {
        for (INamedTypeSymbol? current = type.Symbol; current is not null && !context.Graph.Known.IsAbstractModule(current); current = current.BaseType)
            if (current.GetMembers("forward").OfType<IMethodSymbol>().FirstOrDefault(context.Reach.IsModuleForward) is { } forward)
                return forward.DeclaringSyntaxReferences.IsEmpty ? forward : null;
        return null;
    }

    private static IMethodSymbol? Root(IMethodSymbol method)
    {
        var root = method;
        while (root.OverriddenMethod is { } overridden)
            root = overridden;
        return SymbolEqualityComparer.Default.Equals(root, method) ? null : root;
    }
}
