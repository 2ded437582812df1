using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Outlining;

/// <summary>
/// Finds classes of a project by names, before anything is bound: to bind the attributes and bases of every class takes longer than all the rest.
/// Names may mean something else, so what is found has still to be looked at.
/// </summary>
internal sealed class NamedClasses(IReadOnlyList<FileOutline> files, Compilation compilation, KnownTypes known)
{
    private const string Suffix = "Attribute";

    /// <summary>The classes with an attribute whose name may be that of a method, sorted. Methods are known by their common base, also those of a user's own project.</summary>
    public IReadOnlyList<INamedTypeSymbol> Declaring()
    {
        var names = NamesFrom(known.Adapt);
        return SymbolsOf(files.SelectMany(f => f.Classes).Where(c => c.Attributes.Any(a => names.Contains(a) || names.Contains(a + Suffix))));
    }

    /// <summary>The classes that may be modules, sorted.</summary>
    public IReadOnlyList<INamedTypeSymbol> Modules()
    {
        var names = NamesFrom(known.Module);
        return SymbolsOf(files.SelectMany(f => f.Classes).Where(c => c.Bases.Any(names.Contains)));
    }

    // By their declarations: the metadata names of classes that belong to one file say nothing.
    private List<INamedTypeSymbol> SymbolsOf(IEnumerable<ClassOutline> classes) =>
        [.. classes.Select(c => compilation.GetSemanticModel(c.Declaration.SyntaxTree).GetDeclaredSymbol(c.Declaration)).OfType<INamedTypeSymbol>()
            .Distinct<INamedTypeSymbol>(SymbolEqualityComparer.Default).OrderBy(DeclarationParser.MetadataName, StringComparer.Ordinal)];

    /// <summary>The names of all classes that may derive from a class of a library.</summary>
    private HashSet<string> NamesFrom(INamedTypeSymbol ancestor)
    {
        var library = ancestor.ContainingAssembly;
        var users = compilation.SourceModule.ReferencedAssemblySymbols.Where(a => a.Modules.Any(m => m.ReferencedAssemblies.Any(r => r.Name == library.Name)));
        // Of the library itself the names of all types, which are at hand: those of others do no harm.
        var names = new HashSet<string>(TypesIn(library.GlobalNamespace).Select(t => t.Name));
        names.UnionWith(users.SelectMany(a => TypesIn(a.GlobalNamespace)).Where(t => KnownTypes.DerivesFrom(t, ancestor)).Select(t => t.Name));
        names.UnionWith(files.SelectMany(f => f.Aliases));
        for (var before = -1; before != names.Count;)
        {
            before = names.Count;
            names.UnionWith(files.SelectMany(f => f.Classes).Where(c => c.Bases.Any(names.Contains)).Select(c => c.Name));
        }

        return names;
    }

    private static IEnumerable<INamedTypeSymbol> TypesIn(INamespaceOrTypeSymbol container)
    {
        // Not all members: those of TorchSharp's torch are thousands.
        foreach (var type in container.GetTypeMembers().Where(t => t.TypeKind == TypeKind.Class).SelectMany(t => TypesIn(t).Prepend(t)))
            yield return type;
        if (container is INamespaceSymbol space)
            foreach (var type in space.GetNamespaceMembers().SelectMany(TypesIn))
                yield return type;
    }
}
