using Microsoft.CodeAnalysis.CSharp.Syntax;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Rewriting;

/// <summary>The forms that cannot be followed into an adapter, with what to write instead. Each is a PG010.</summary>
internal static class Unsupported
{
    public const string Twice = "the expression before the dot would have to be evaluated twice; put it into a variable first";

    /// <summary>Why a use that reaches a site cannot be compiled; null where it can.</summary>
    public static (ExpressionSyntax place, string what, string why)? Why(Use use) => use switch
    {
        HandedUse handed => (handed.Call, handed.Receiver.Syntax.ToString(),
            $"{handed.Method.ContainingType.Name}.{handed.Method.Name} runs it as the base does; call it here, or make {handed.Method.Name} a method of this class"),
        InterfaceUse call => (call.Call, call.Method.ContainingType.Name, "an interface has no overload that takes an adapter; declare the class, or an abstract Module<…>"),
        PropertyUse property => (property.Read, property.Property.Name, "a property's getter takes no adapter; make it a method"),
        _ => null,
    };
}
