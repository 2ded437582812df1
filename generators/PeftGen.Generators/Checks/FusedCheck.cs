using System.Globalization;
using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary><c>[Fused]</c> where it says nothing.</summary>
internal static class FusedCheck
{
    public static void Run(CheckContext context)
    {
        foreach (var type in context.Reach.Classes.ToList())
            foreach (var child in type.Own.Where(c => c.Fused is not null))
                if (Fault(context, child) is { } fault && DeclaredMethod.AttributesOf(child.Symbol, "FusedAttribute").First().ApplicationSyntaxReference is { } place)
                    context.Diagnostics.Add("PG040", place.SyntaxTree, place.Span, $"{type.Symbol.Name}.{child.Name}", fault);
    }

    private static string? Fault(CheckContext context, ModelChild child)
    {
        // Of a class of the user's own, the targets say whether it is a linear layer.
        if (child.Shape is ChildShape.Parameter or ChildShape.Sequential || (child.Shape == ChildShape.BuiltIn && !context.Graph.Known.IsLinear(child.Type)))
            return $"is a {child.Type.Name}, and only linear layers have parts; take the attribute away";
        if (child.Fused!.Count < 2)
            return "has fewer than two parts; name all of them, in the order of the layer's outputs";
        if (child.Fused.FirstOrDefault(p => p.Length == 0 || !p.All(c => char.IsLetterOrDigit(c) || c == '_')) is { } bad)
            return $"has a part '{bad}', which is no name; use letters, digits and _";
        if (child.Fused.Distinct().Count() < child.Fused.Count)
            return "has two parts of one name; give each its own";
        return context.Creations.NumberOf(child, "outputSize", "outputs") is { } outputs && outputs % child.Fused.Count != 0
            ? $"has {child.Fused.Count} parts, and its {outputs.ToString(CultureInfo.InvariantCulture)} outputs are not as many of each; name the parts that it has, which are of equal size" : null;
    }
}
