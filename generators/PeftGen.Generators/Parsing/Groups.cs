using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Parsing;

/// <summary>Methods that apply together, with the names of what is emitted for them.</summary>
/// <param name="Infix">What stands in factory names between Create and Adapter.</param>
/// <param name="Type">The adapter type.</param>
/// <param name="Methods">The methods, in the order of the attributes.</param>
internal sealed record Group(string Infix, string Type, IReadOnlyList<DeclaredMethod> Methods)
{
    public string Create => $"Create{Infix}Adapter";

    public string Load => $"Load{Infix}Adapter";

    /// <summary>The groups of a root that can be emitted side by side. The others are reported.</summary>
    public static List<Group> Of(IReadOnlyList<DeclaredMethod> methods, DiagnosticList? diagnostics = null)
    {
        var groups = new List<Group>();
        foreach (var methodsOfGroup in methods.GroupBy(m => m.Group ?? ""))
        {
            var group = Of(methodsOfGroup.Key, methodsOfGroup.ToList());
            var wrong = group.Infix.Length > 0 && !SyntaxFacts.IsValidIdentifier(methodsOfGroup.Key)
                ? $"becomes part of names such as {group.Create}, so it has to be a C# identifier"
                : groups.FirstOrDefault(g => g.Type == group.Type) is { } other
                    ? $"gets the adapter type {group.Type}, which {(other.Infix.Length == 0 ? "the group without a name" : $"the group '{other.Methods[0].Group}'")} has already"
                    : null;
            if (wrong is null)
                groups.Add(group);
            else if (diagnostics is not null)
                Report(group, wrong, diagnostics);
        }

        return groups;
    }

    private static Group Of(string name, IReadOnlyList<DeclaredMethod> methods)
    {
        var infix = name.Length == 0 ? "" : char.ToUpperInvariant(name[0]) + name.Substring(1);
        return new Group(infix, (infix.Length > 0 ? infix : string.Concat(methods.Select(m => m.Name).Distinct())) + "Adapter", methods);
    }

    private static void Report(Group group, string wrong, DiagnosticList diagnostics)
    {
        var method = group.Methods[0];
        diagnostics.Add("PG013", method.Syntax.SyntaxTree, method.PlaceOf("Group").span, method.Group ?? "", wrong);
    }
}
