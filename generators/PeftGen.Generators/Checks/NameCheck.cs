using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Checks;

/// <summary>What is emitted must not meet what the user declared, nor hide what the user's code means. The class of nodes takes another name then; what users call cannot.</summary>
internal static class NameCheck
{
    /// <summary>Reports clashes in a class.</summary>
    /// <param name="type">The class.</param>
    /// <param name="declared">The methods that it declares, if it is a root.</param>
    /// <param name="graph">The classes.</param>
    /// <param name="scanner">Their bodies.</param>
    /// <param name="diagnostics">Where to report.</param>
    public static bool Passes(ModelClass type, List<DeclaredMethod>? declared, ModelGraph graph, BodyScanner scanner, DiagnosticList diagnostics)
    {
        if (declared is null)
            return true;
        var passes = true;
        foreach (var name in Emitted(declared))
            if (Declared(type, name, graph) is { } place)
                Report("declares", name, place);
            else if (Used(type, name, graph, scanner) is { } use)
                Report("means something else by", name, use);

        // The group's type, nested in the class, would hide the attribute from the class's own code.
        foreach (var group in Group.Of(declared))
            foreach (var method in declared)
                if (method.Type.Name == group.Type)
                    Report("declares", group.Type, method.Syntax.GetLocation());
        if (Hiding(type, graph) is { } hiding)
        {
            diagnostics.Add("PG055", hiding.SourceTree!, hiding.SourceSpan, type.Symbol.Name);
            passes = false;
        }

        return passes;

        void Report(string verb, string name, Location place)
        {
            diagnostics.Add("PG009", place.SourceTree!, place.SourceSpan, type.Symbol.Name, verb, name);
            passes = false;
        }
    }

    /// <summary>Where a class, or one that it derives from, declares a member of a name. What stands in another assembly is reported at the class.</summary>
    private static Location? Declared(ModelClass type, string name, ModelGraph graph)
    {
        for (var current = type.Symbol; current is not null && !SymbolEqualityComparer.Default.Equals(current, graph.Known.Module); current = current.BaseType)
            if (!current.Interfaces.Any(i => KnownTypes.Implements(i, graph.Known.Adaptable)))
                foreach (var member in current.GetMembers(name).Where(m => m.DeclaredAccessibility != Accessibility.Private || SymbolEqualityComparer.Default.Equals(current, type.Symbol)))
                    return member.Locations.FirstOrDefault(l => l.IsInSource) ?? type.Symbol.Locations[0];
        return null;
    }

    /// <summary>Where the code of a class, or of one that derives from it, names something from outside that would be hidden.</summary>
    private static Location? Used(ModelClass type, string name, ModelGraph graph, BodyScanner scanner) => graph.DerivedFrom(type).Prepend(type)
        .Where(t => FreeNames.Words(t.Symbol).Contains(name) && Meanings.Has(scanner, t, name))
        .SelectMany(t => t.Symbol.DeclaringSyntaxReferences).SelectMany(r => r.GetSyntax().DescendantTokens())
        .FirstOrDefault(token => token.IsKind(SyntaxKind.IdentifierToken) && token.ValueText == name) is { RawKind: not 0 } found ? found.GetLocation() : null;

    /// <summary>A method of a root that hides the forward that it inherits: with an adapter, the model and the module would be two.</summary>
    private static Location? Hiding(ModelClass type, ModelGraph graph)
    {
        var forwards = type.Lineage.SelectMany(t => t.Symbol.GetMembers("forward")).OfType<IMethodSymbol>().ToList();
        var hiding = forwards.FirstOrDefault(m => !graph.Known.IsModuleForward(m) && !m.IsStatic
            && forwards.Any(f => graph.Known.IsModuleForward(f) && f.Parameters.Select(p => p.Type).SequenceEqual(m.Parameters.Select(p => p.Type), SymbolEqualityComparer.Default)));
        return hiding?.Locations.FirstOrDefault(l => l.IsInSource);
    }

    private static IEnumerable<string> Emitted(List<DeclaredMethod> declared)
    {
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
