using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>What is emitted must not meet what the user declared.</summary>
internal static class NameCheck
{
    /// <summary>Reports clashes in a class.</summary>
    /// <param name="type">The class.</param>
    /// <param name="declared">The methods that it declares, if it is a root.</param>
    /// <param name="diagnostics">Where to report.</param>
    public static bool Passes(ModelClass type, List<DeclaredMethod>? declared, DiagnosticList diagnostics)
    {
        var passes = true;
        foreach (var name in Emitted(declared))
            foreach (var member in type.Symbol.GetMembers(name))
            {
                var place = member.Locations.FirstOrDefault(l => l.IsInSource);
                if (place is null)
                    continue;
                diagnostics.Add("PG009", place.SourceTree!, place.SourceSpan, type.Symbol.Name, name);
                passes = false;
            }

        // The group's type, nested in the class, would hide the attribute from the class's own code.
        foreach (var group in Group.Of(declared ?? []))
            foreach (var method in declared ?? [])
                if (method.Type.Name == group.Type)
                {
                    diagnostics.Add("PG009", method.Syntax.SyntaxTree, method.Syntax.Span, type.Symbol.Name, group.Type);
                    passes = false;
                }

        return passes;
    }

    private static IEnumerable<string> Emitted(List<DeclaredMethod>? declared)
    {
        yield return "Adapter";
        if (declared is null)
            yield break;
        yield return "Adapted";
        yield return "With";
        yield return "Unfreeze";
        foreach (var group in Group.Of(declared))
        {
            yield return group.Type;
            yield return group.Create;
            yield return group.Load;
        }
    }
}
