using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Outlining;

/// <summary>
/// Finds the classes that may bear methods. Methods are found by their common base, also those of a user's own project, so in the end attributes have to be bound;
/// but to bind those of every class in a project takes longer than all the rest.
/// </summary>
internal static class DeclaringClasses
{
    private const string Suffix = "Attribute";

    /// <summary>The metadata names of all classes with an attribute whose name may be that of a method.</summary>
    public static IEnumerable<string> Find(IReadOnlyList<FileOutline> files, Compilation compilation, KnownTypes known)
    {
        var names = NamesOfMethods(files, compilation, known);
        return files.SelectMany(f => f.Classes).Where(c => c.Attributes.Any(a => names.Contains(a) || names.Contains(a + Suffix))).Select(c => c.MetadataName).Distinct();
    }

    private static HashSet<string> NamesOfMethods(IReadOnlyList<FileOutline> files, Compilation compilation, KnownTypes known)
    {
        var library = known.Adapt.ContainingAssembly;
        var assemblies = compilation.SourceModule.ReferencedAssemblySymbols.Where(a => a.Modules.Any(m => m.ReferencedAssemblies.Any(r => r.Name == library.Name))).Append(library);
        var names = new HashSet<string>(assemblies.SelectMany(a => TypesIn(a.GlobalNamespace)).Where(t => KnownTypes.DerivesFrom(t, known.Adapt)).Select(t => t.Name));
        names.UnionWith(files.SelectMany(f => f.Aliases));
        // Methods of the project itself derive from these, or from one another.
        for (var before = -1; before != names.Count;)
        {
            before = names.Count;
            names.UnionWith(files.SelectMany(f => f.Classes).Where(c => c.Bases.Any(names.Contains)).Select(c => c.Name));
        }

        return names;
    }

    private static IEnumerable<INamedTypeSymbol> TypesIn(INamespaceOrTypeSymbol container) => container.GetMembers().SelectMany(member => member switch
    {
        INamespaceSymbol inner => TypesIn(inner),
        INamedTypeSymbol { TypeKind: TypeKind.Class } type => TypesIn(type).Prepend(type),
        _ => [],
    });
}
