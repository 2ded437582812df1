using System.Linq;
using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary><c>[GradientCheckpointing]</c> on a class whose forward cannot be run a second time.</summary>
internal static class GradientCheckpointingCheck
{
    public static void Run(CheckContext context)
    {
        foreach (var type in context.Reach.Classes.ToList())
            if (DeclaredMethod.AttributesOf(type.Symbol, GradientCheckpointing.Attribute).FirstOrDefault()?.ApplicationSyntaxReference is { } place)
                foreach (var forward in type.Symbol.GetMembers().OfType<IMethodSymbol>().Where(m => context.Reach.Methods.Contains(m) && context.Reach.IsModuleForward(m)))
                    if (GradientCheckpointing.Fault(forward, context.Graph.Known) is { } fault)
                        context.Diagnostics.Add("PG041", place.SyntaxTree, place.Span, type.Symbol.Name, fault);
    }
}
