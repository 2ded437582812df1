using Microsoft.CodeAnalysis;
using PeftGen.Generators.Outlining;

namespace PeftGen.Generators.Parsing;

/// <summary>The module classes of a compilation, bound as they are met.</summary>
internal sealed class ModelGraph(Compilation compilation, KnownTypes known, NamedClasses named)
{
    private readonly Dictionary<INamedTypeSymbol, ModelClass> _classes = new(SymbolEqualityComparer.Default);
    private readonly Dictionary<ModelChild, IReadOnlyList<ModelClass>> _candidates = [];
    private List<INamedTypeSymbol>? _allModules;
    private HashSet<string>? _methodNames;
    private HashSet<string>? _parameterNames;

    public KnownTypes Known { get; } = known;

    public Compilation Compilation { get; } = compilation;

    /// <summary>The files of which more than their outline was read.</summary>
    public HashSet<SyntaxTree> Read { get; } = [];

    /// <summary>The class of a symbol, if it is a module class of this compilation.</summary>
    public ModelClass? ClassOf(ITypeSymbol? type)
    {
        if (type?.OriginalDefinition is not INamedTypeSymbol { TypeKind: TypeKind.Class } symbol || !IsOfThisCompilation(symbol) || !Known.IsModule(symbol))
            return null;
        if (_classes.TryGetValue(symbol, out var known))
            return known;
        Read.UnionWith(symbol.DeclaringSyntaxReferences.Select(r => r.SyntaxTree));
        // Its fields are read when they are asked for, when the class is known: it may hold itself, or what holds it.
        return _classes[symbol] = new ModelClass(symbol, ClassOf(symbol.BaseType), () => [.. ReadChildren(symbol)]);
    }

    /// <summary>The classes that may stand where a type is declared: the class itself, and those of this compilation that derive from it.</summary>
    public IReadOnlyList<ModelClass> Candidates(ModelChild child)
    {
        if (!_candidates.TryGetValue(child, out var candidates))
            _candidates[child] = candidates = FindCandidates(child).ToList();
        return candidates;
    }

    private IEnumerable<ModelClass> FindCandidates(ModelChild child)
    {
        var type = child.Type is ITypeParameterSymbol parameter ? parameter.ConstraintTypes.FirstOrDefault() ?? child.Type : child.Type;
        if (child.Shape == ChildShape.Sequential)
        {
            var contents = new SequentialContents(Compilation, Known).Of(child);
            return AllModules().Where(m => Known.IsTensorToTensor(m) && contents?.Any(step => IsAssignable(m, step)) != false).Select(m => ClassOf(m)!);
        }

        if (child.Shape is not (ChildShape.Composite or ChildShape.Abstract))
            return [];
        var known = child.Shape == ChildShape.Abstract ? new FieldContents(Compilation, Known).Of(child) : null;
        return AllModules().Where(m => IsAssignable(m, type) && known?.Any(content => IsAssignable(m, content)) != false).Select(m => ClassOf(m)!);
    }

    /// <summary>Whether an instance of a class may be referred to by a type.</summary>
    public static bool IsAssignable(ITypeSymbol type, ITypeSymbol to)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
            if (SymbolEqualityComparer.Default.Equals(current, to) || SymbolEqualityComparer.Default.Equals(current.OriginalDefinition, to.OriginalDefinition) && IsOpen(current, to))
                return true;
        return type.AllInterfaces.Any(i => SymbolEqualityComparer.Default.Equals(i, to));
    }

    /// <summary>The classes of this compilation that derive from another.</summary>
    public IEnumerable<ModelClass> DerivedFrom(ModelClass type) => AllModules().Select(m => ClassOf(m)!).Where(c => c != type && c.Lineage.Contains(type));

    /// <summary>Whether a class of this compilation that is not abstract derives from another.</summary>
    public bool HasConcrete(ModelClass type) => AllModules().Any(m => !m.IsAbstract && IsAssignable(m, type.Symbol));

    /// <summary>The names of all methods of module classes, and of what all modules have.</summary>
    public HashSet<string> MethodNames => _methodNames ??= [.. AllModules().SelectMany(m => m.GetMembers()).OfType<IMethodSymbol>().Where(m => m.MethodKind == MethodKind.Ordinary).Select(m => m.Name), "forward", "call"];

    /// <summary>The names of all parameters that module classes declare.</summary>
    public HashSet<string> ParameterNames => _parameterNames ??= [.. AllModules().SelectMany(m => m.GetMembers()).OfType<IFieldSymbol>().Where(f => KnownTypes.DerivesFrom(f.Type, Known.Parameter)).Select(f => (f.AssociatedSymbol ?? f).Name)];

    /// <summary>Whether an interface is TorchSharp's own, or one that module classes implement.</summary>
    public bool IsModuleInterface(INamedTypeSymbol type) =>
        SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, Known.Module.ContainingAssembly)
        || (AllModules().Any(m => m.AllInterfaces.Any(i => SymbolEqualityComparer.Default.Equals(i.OriginalDefinition, type.OriginalDefinition))));

    /// <summary>Whether a class leaves forward to those that derive from it: a type like TorchSharp's own abstract modules.</summary>
    public bool IsOpen(ModelClass type) => type.Symbol.IsAbstract && Known.ModuleBase(type.Symbol) is not null
        && !type.Lineage.Any(t => t.Symbol.GetMembers("forward").OfType<IMethodSymbol>().Any(m => m.IsOverride));

    /// <summary>The module type of a module, or of the elements of a list of modules; else null.</summary>
    public ITypeSymbol? ElementOf(ITypeSymbol type)
    {
        var (element, _) = ElementType(type);
        if (element is INamedTypeSymbol { IsGenericType: true } generic && !Known.IsModule(element))
            element = generic.TypeArguments[generic.TypeArguments.Length - 1];
        return element is ITypeParameterSymbol parameter ? parameter.ConstraintTypes.FirstOrDefault(Known.IsModule) : Known.IsModule(element) ? element : null;
    }

    /// <summary>Whether a variable of a type may hold a child, or an element of it.</summary>
    public bool MayBe(ModelChild child, ITypeSymbol variable) =>
        IsAssignable(child.Type, variable) || IsAssignable(variable, child.Type) || Candidates(child).Any(c => IsAssignable(c.Symbol, variable));

    // Of generic classes only the definition is known here: which arguments an instance has does not matter for its children.
    private static bool IsOpen(ITypeSymbol type, ITypeSymbol to) =>
        type is INamedTypeSymbol { IsGenericType: true } generic && !generic.ContainingNamespace.ToDisplayString().StartsWith("TorchSharp", StringComparison.Ordinal) && to is INamedTypeSymbol;

    private bool IsOfThisCompilation(INamedTypeSymbol symbol) => SymbolEqualityComparer.Default.Equals(symbol.ContainingAssembly, Compilation.Assembly);

    private List<INamedTypeSymbol> AllModules() => _allModules ??= [.. named.Modules().Where(Known.IsModule)];

    private IEnumerable<ModelChild> ReadChildren(INamedTypeSymbol type)
    {
        foreach (var field in SourceOrder.MembersOf<IFieldSymbol>(type).Where(f => !f.IsStatic && !f.IsConst))
        {
            var symbol = field.AssociatedSymbol ?? field;
            var (elements, isList) = ElementType(field.Type);
            var (outer, depth) = (elements, 1);
            // Lists in lists, in whichever order.
            while (isList && ElementType(outer) is (var inner, true))
                (elements, outer, depth) = (inner, inner, depth + 1);
            // Of a type parameter the code sees the class that constrains it.
            if (elements is ITypeParameterSymbol { ConstraintTypes: var constraints } && constraints.FirstOrDefault(c => ClassOf(c) is not null) is { } constraint)
                elements = constraint;
            if (Shape(elements) is not { } shape || (isList && shape == ChildShape.Parameter))
                continue;
            yield return new ModelChild(symbol.Name, symbol, elements, shape, isList, PathOf(symbol, field), field.NullableAnnotation == NullableAnnotation.Annotated) { Fused = FusedOf(symbol), Depth = depth, IsDictionary = isList && IsDictionary(field.Type) };
        }
    }

    /// <summary>The path of a field in checkpoints: as PeftGen's attribute says, or TorchSharp's, or its name.</summary>
    private static string PathOf(ISymbol symbol, IFieldSymbol field) =>
        DeclaredMethod.AttributesOf(symbol, "NameAttribute").FirstOrDefault()?.ConstructorArguments is [{ Value: string path }] ? path
        : field.GetAttributes().FirstOrDefault(a => a.AttributeClass?.Name == "ComponentNameAttribute" && a.AttributeClass.ContainingNamespace.ToDisplayString().StartsWith("TorchSharp", StringComparison.Ordinal)) is { } component
            && DeclaredMethod.Named(component, "Name")?.Value is string name ? name
        : symbol.Name;

    private static bool IsDictionary(ITypeSymbol type) => type is INamedTypeSymbol { IsGenericType: true } named && (named.Name == "ModuleDict" || named.TypeArguments.Length == 2);

    private static List<string>? FusedOf(ISymbol symbol) =>
        DeclaredMethod.AttributesOf(symbol, "FusedAttribute").FirstOrDefault()?.ConstructorArguments is [{ Kind: TypedConstantKind.Array, IsNull: false } parts]
            ? [.. parts.Values.Select(p => p.Value as string ?? "")] : null;

    private ChildShape? Shape(ITypeSymbol type)
    {
        if (KnownTypes.DerivesFrom(type, Known.Parameter))
            return ChildShape.Parameter;
        if (type is ITypeParameterSymbol parameter)
            return parameter.ConstraintTypes.Any(Known.IsModule) ? ChildShape.Abstract : null;
        if (!Known.IsModule(type))
            return null;
        if (Known.IsAbstractModule(type) || (ClassOf(type) is { } known && IsOpen(known)))
            return ChildShape.Abstract;
        if (KnownTypes.DerivesFrom(type, Known.Sequential))
            return ChildShape.Sequential;
        return ClassOf(type) is not null ? ChildShape.Composite : ChildShape.BuiltIn;
    }

    /// <summary>The element type of a list, array or dictionary of modules; else the type itself.</summary>
    private (ITypeSymbol type, bool isList) ElementType(ITypeSymbol type)
    {
        if (type is IArrayTypeSymbol array)
            return (array.ElementType, true);
        if (type is not INamedTypeSymbol { IsGenericType: true } named || Known.IsAbstractModule(named) || ClassOf(named) is not null)
            return (type, false);
        // A delegate or a lazy value holds no modules.
        if (!named.AllInterfaces.Any(i => i.SpecialType == SpecialType.System_Collections_IEnumerable))
            return (type, false);
        var last = named.TypeArguments[named.TypeArguments.Length - 1];
        if (last is IArrayTypeSymbol or INamedTypeSymbol { IsGenericType: true } && !Known.IsModule(last) && ElementType(last).isList)
            return (last, true);
        var isModules = last is ITypeParameterSymbol ? named.Name is "ModuleList" or "ModuleDict" or "List" : Known.IsModule(last);
        return isModules ? (last, true) : (type, false);
    }
}
