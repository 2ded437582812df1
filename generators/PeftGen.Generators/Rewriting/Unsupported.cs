using Microsoft.CodeAnalysis;
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
        LeavingUse { Below: not null } below => (below.Place, below.What, "it is a module below one of the children, which only their own code can run through an adapter; call a method of the class that holds it"),
        LeavingUse leaving => (leaving.Place, leaving.What, WhyOf(leaving)),
        KeptUse kept => (kept.Code, kept.Code.ToString(), $"{kept.Field} keeps it, and the adapter of this call would run in all others; make it where it is called"),
        MemberUse member => (member.Node, NameOf(member.Method), member.Method.MethodKind switch
        {
            MethodKind.PropertyGet => $"{(member.Method.Parameters.Length > 0 ? "an indexer" : "a property's getter")} takes no adapter; make it a method",
            MethodKind.PropertySet => $"{(member.Method.Parameters.Length > 1 ? "an indexer" : "a property's setter")} takes no adapter; make it a method",
            MethodKind.EventAdd or MethodKind.EventRemove => "an event's accessor takes no adapter; make it a method",
            MethodKind.UserDefinedOperator or MethodKind.Conversion => "an operator takes no adapter; make it a method",
            _ => "C# calls it here, without an adapter; call it by its name, or another method",
        }),
        InterfaceUse call => (call.Call, call.Method.ContainingType.Name, "an interface has no overload that takes an adapter; declare the class, or an abstract Module<…>"),
        _ => null,
    };

    private static string WhyOf(LeavingUse leaving)
    {
        var sink = leaving.Sinks[0];
        if (sink.Field is { } field)
            return $"{field.owner.Symbol.Name}.{field.child.Name} is the same module at a second place, which no target means, and runs it as the base does; call it at one place, or let the targets mean both";
        if (sink.In is not { } member)
            return sink.ReadsWeight ? "the weights that it gives are the base's; call the layer, or read its weight by name" : "what it is handed to runs it as the base does; call it here";
        var name = $"{member.ContainingType?.Name}.{NameOf(member)}";
        if (member is IFieldSymbol or IPropertySymbol)
            return $"{name} keeps the base's weight, which no adapter changes; read the layer's weight where it is used";
        return sink.ReadsWeight ? $"{name} reads its weight as the base's; read it here, or make {NameOf(member)} a method of this class"
            : member.DeclaringSyntaxReferences.IsEmpty ? $"{name} is a library's and may run it as the base does; call it here"
            : $"{name} runs it as the base does; call it here, or make {NameOf(member)} a method of this class";
    }

    private static string NameOf(ISymbol member) => member switch
    {
        IMethodSymbol { AssociatedSymbol: IPropertySymbol { IsIndexer: true } } => "this[]",
        IMethodSymbol { AssociatedSymbol: { } associated } => associated.Name,
        IMethodSymbol { MethodKind: MethodKind.Constructor } constructor => constructor.ContainingType.Name,
        _ => member.Name.Substring(member.Name.LastIndexOf('.') + 1),
    };
}
