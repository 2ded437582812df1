using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Parsing;

/// <summary>The types of TorchSharp and PeftGen that the parser asks about.</summary>
internal sealed class KnownTypes
{
    private KnownTypes(Compilation compilation, INamedTypeSymbol adapt, INamedTypeSymbol module)
    {
        Adapt = adapt;
        Module = module;
        Tensor = compilation.GetTypeByMetadataName("TorchSharp.torch+Tensor")!;
        Parameter = compilation.GetTypeByMetadataName("TorchSharp.Modules.Parameter")!;
        Linear = compilation.GetTypeByMetadataName("TorchSharp.Modules.Linear")!;
        LinearLayer = compilation.GetTypeByMetadataName("PeftGen.ILinearLayer")!;
        Sequential = compilation.GetTypeByMetadataName("TorchSharp.Modules.Sequential")!;
        Adaptable = compilation.GetTypeByMetadataName("PeftGen.IAdaptable")!;
        AdapterNode = compilation.GetTypeByMetadataName("PeftGen.AdapterNode")!;
        TokenCache = compilation.GetTypeByMetadataName("PeftGen.ITokenCache")!;
    }

    /// <summary><c>PeftGen.AdaptAttribute</c>, the base of all methods.</summary>
    public INamedTypeSymbol Adapt { get; }

    /// <summary><c>torch.nn.Module</c>.</summary>
    public INamedTypeSymbol Module { get; }

    public INamedTypeSymbol Tensor { get; }

    public INamedTypeSymbol Parameter { get; }

    public INamedTypeSymbol Linear { get; }

    /// <summary><c>PeftGen.ILinearLayer</c>, which linear layers beside TorchSharp's implement.</summary>
    public INamedTypeSymbol LinearLayer { get; }

    public INamedTypeSymbol Sequential { get; }

    /// <summary><c>PeftGen.IAdaptable</c>, which compiled classes of other assemblies implement.</summary>
    public INamedTypeSymbol Adaptable { get; }

    /// <summary><c>PeftGen.AdapterNode</c>, from which emitted nodes derive.</summary>
    public INamedTypeSymbol AdapterNode { get; }

    /// <summary><c>PeftGen.ITokenCache</c>, which caches of keys and values implement.</summary>
    public INamedTypeSymbol TokenCache { get; }

    /// <summary>The types, or null where the compilation does not know PeftGen or TorchSharp.</summary>
    public static KnownTypes? Find(Compilation compilation) =>
        compilation.GetTypeByMetadataName("PeftGen.AdaptAttribute") is { } adapt && compilation.GetTypeByMetadataName("TorchSharp.torch+nn+Module") is { } module
            ? new KnownTypes(compilation, adapt, module)
            : null;

    public bool IsModule(ITypeSymbol type) => DerivesFrom(type, Module);

    /// <summary>Whether a type is one of TorchSharp's abstract <c>Module&lt;…&gt;</c>.</summary>
    public bool IsAbstractModule(ITypeSymbol type) =>
        type is INamedTypeSymbol { Name: "Module" } named && SymbolEqualityComparer.Default.Equals(named.ContainingType, Module.ContainingType);

    /// <summary>Whether a method implements TorchSharp's own abstract <c>forward</c>.</summary>
    public bool IsModuleForward(IMethodSymbol method)
    {
        var overridden = method;
        while (overridden.OverriddenMethod is { } next)
            overridden = next;
        return method.Name == "forward" && IsAbstractModule(overridden.ContainingType);
    }

    /// <summary>The <c>Module&lt;…&gt;</c> that implements one of TorchSharp's <c>IModule&lt;…&gt;</c>; null: the type is none.</summary>
    public INamedTypeSymbol? ModuleOf(INamedTypeSymbol type) =>
        type is { TypeKind: TypeKind.Interface, Name: "IModule", TypeArguments.Length: > 1 } && SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, Module.ContainingAssembly)
            ? Module.ContainingType.GetTypeMembers("Module", type.TypeArguments.Length).FirstOrDefault()?.Construct([.. type.TypeArguments])
            : null;

    /// <summary>The <c>Module&lt;…&gt;</c> that a module type derives from; null if it derives from <c>Module</c> alone.</summary>
    public INamedTypeSymbol? ModuleBase(ITypeSymbol type)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
            if (IsAbstractModule(current))
                return current is INamedTypeSymbol { TypeArguments.Length: > 0 } generic ? generic : null;
        return null;
    }

    /// <summary>Whether a type is a linear layer as it stands, without its body being read.</summary>
    public bool IsLinear(ITypeSymbol type) => DerivesFrom(type, Linear) || type.AllInterfaces.Contains(LinearLayer, SymbolEqualityComparer.Default);

    /// <summary>Whether a module takes one tensor and returns one.</summary>
    public bool IsTensor(ITypeSymbol type) => SymbolEqualityComparer.Default.Equals(type, Tensor);

    public bool IsTensorToTensor(ITypeSymbol type) =>
        ModuleBase(type is ITypeParameterSymbol parameter ? parameter.ConstraintTypes.FirstOrDefault(IsModule) ?? type : type) is { TypeArguments: { Length: 2 } arguments } && arguments.All(a => SymbolEqualityComparer.Default.Equals(a, Tensor));

    private static readonly string[] _weightAndBias = ["weight", "bias"];

    /// <summary>Which of <c>weight</c> and <c>bias</c> a layer of a type may have. Of what hides its parameters, either name stands for them.</summary>
    /// <param name="type">The layer's type; null: it is known only at run time.</param>
    public IReadOnlyList<string> ParametersOf(ITypeSymbol? type) =>
        type is null || HidesParameters(type) || !IsTensorToTensor(type) || !IsOfTorch(type) ? LacksParameters(type) ? [] : _weightAndBias
        : [.. _weightAndBias.Where(name => ShownBy(type).Any(p => p.Name == name))];

    /// <summary>Whether a slot can stand beside a layer of a type: its calls take one tensor and return one.</summary>
    /// <param name="type">The layer's type; null: it is known only at run time.</param>
    public bool CanHaveSlot(ITypeSymbol? type) => type is null || (IsTensorToTensor(type) && !HidesParameters(type));

    /// <summary>Whether a type is one of TorchSharp's that learn and do not show what, such as GRU, MultiheadAttention and TransformerEncoderLayer.</summary>
    private bool HidesParameters(ITypeSymbol type) =>
        IsOfTorch(type) && !IsAbstractModule(type) && !DerivesFrom(type, Sequential) && !LacksParameters(type) && !ShownBy(type).Any();

    private bool IsOfTorch(ITypeSymbol type) => SymbolEqualityComparer.Default.Equals(type.ContainingAssembly, Module.ContainingAssembly);

    private bool LacksParameters(ITypeSymbol? type)
    {
        for (var current = type; current is not null; current = current.BaseType)
            if (IsOfTorch(current) && current.Name is "ParameterLessModule" or "Loss")
                return true;
        return false;
    }

    private IEnumerable<IPropertySymbol> ShownBy(ITypeSymbol type)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
            foreach (var property in current.GetMembers().OfType<IPropertySymbol>().Where(p => DerivesFrom(p.Type, Parameter)))
                yield return property;
    }

    public static bool Implements(ITypeSymbol type, INamedTypeSymbol contract) =>
        SymbolEqualityComparer.Default.Equals(type.WithNullableAnnotation(NullableAnnotation.NotAnnotated), contract) || type.AllInterfaces.Contains(contract, SymbolEqualityComparer.Default);

    /// <summary>The names of a type and of those that it derives from.</summary>
    public static IEnumerable<string> Lineage(ITypeSymbol type)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
            yield return current.MetadataName;
    }

    public static bool DerivesFrom(ITypeSymbol type, INamedTypeSymbol ancestor)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
            if (SymbolEqualityComparer.Default.Equals(current.OriginalDefinition, ancestor))
                return true;
        return false;
    }
}
