using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Parsing;

/// <summary>What the static type of a child says about it.</summary>
internal enum ChildShape
{
    /// <summary>A layer of TorchSharp, or of another assembly.</summary>
    BuiltIn,

    /// <summary>TorchSharp's <c>Sequential</c>, whose modules are known only at run time.</summary>
    Sequential,

    /// <summary>A module class of this compilation.</summary>
    Composite,

    /// <summary>An abstract module type: any class may stand there.</summary>
    Abstract,

    /// <summary>A parameter.</summary>
    Parameter,
}

/// <summary>A field or auto-property that holds a module, a list of modules, or a parameter.</summary>
/// <param name="Name">The name of the field or property.</param>
/// <param name="Symbol">The field or property.</param>
/// <param name="Type">Its type; of a list or dictionary the type of the elements.</param>
/// <param name="Shape">What the type says.</param>
/// <param name="IsList">Whether it is a list or dictionary.</param>
/// <param name="Path">The path in checkpoints, relative to the class.</param>
/// <param name="IsNullable">Whether it may be null.</param>
internal sealed record ModelChild(string Name, ISymbol Symbol, ITypeSymbol Type, ChildShape Shape, bool IsList, string Path, bool IsNullable)
{
    /// <summary>The parts that <c>[Fused]</c> names; null: it is not there.</summary>
    public IReadOnlyList<string>? Fused { get; init; }

    /// <summary>How many lists lie in one another, where it is a list.</summary>
    public int Depth { get; init; } = 1;

    /// <summary>Whether the outermost list is a dictionary, whose elements have names.</summary>
    public bool IsDictionary { get; init; }

    /// <summary>The path of what lies within: of a list, that of an element whose index is not known.</summary>
    public string ElementPath => IsList ? Path + string.Concat(Enumerable.Repeat(".*", Depth)) : Path;

    /// <summary>The same, with the elements of a dictionary under their names where the code shows them.</summary>
    /// <param name="names">Names that may be those of elements.</param>
    public IEnumerable<string> ElementPaths(IEnumerable<string> names) =>
        IsList && IsDictionary ? [.. names.Select(name => Path + "." + name + string.Concat(Enumerable.Repeat(".*", Depth - 1))), ElementPath] : [ElementPath];
}

/// <summary>A module class of the compilation.</summary>
internal sealed class ModelClass(INamedTypeSymbol symbol, ModelClass? @base, Func<IReadOnlyList<ModelChild>> readOwn)
{
    private IReadOnlyList<ModelChild>? _own;

    public INamedTypeSymbol Symbol { get; } = symbol;

    /// <summary>The base class, if it is of this compilation.</summary>
    public ModelClass? Base { get; } = @base;

    /// <summary>The children that the class itself declares.</summary>
    public IReadOnlyList<ModelChild> Own => _own ??= readOwn();

    /// <summary>All children, inherited ones first.</summary>
    public IEnumerable<ModelChild> Children => Base is null ? Own : Base.Children.Concat(Own);

    /// <summary>The class and its base classes of this compilation.</summary>
    public IEnumerable<ModelClass> Lineage
    {
        get
        {
            for (var current = this; current is not null; current = current.Base)
                yield return current;
        }
    }

    /// <summary>Whether the class or one of its base classes here declares a member.</summary>
    public bool Has(ISymbol member) => Lineage.Any(t => SymbolEqualityComparer.Default.Equals(t.Symbol, member.ContainingType?.OriginalDefinition));

    public ModelChild? Find(ISymbol symbol) => Children.FirstOrDefault(c => SymbolEqualityComparer.Default.Equals(c.Symbol, symbol.OriginalDefinition));
}
