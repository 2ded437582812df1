using Microsoft.CodeAnalysis;
using PeftGen.Generators.Parsing;

namespace PeftGen.Generators.Leaving;

/// <summary>Which values a module can hide in, and what is known of libraries.</summary>
internal sealed class CarrierTypes(ModelGraph graph)
{
    private static readonly HashSet<string> _shapes =
        ["shape", "dtype", "device", "device_type", "device_index", "ndim", "dim", "size", "numel", "requires_grad", "grad", "NumberOfElements", "Handle", "is_sparse", "IsInvalid", "is_leaf", "stride", "element_size", "ElementSize", "ToString"];

    private readonly Dictionary<ITypeSymbol, bool> _known = new(SymbolEqualityComparer.Default);

    /// <summary>Whether a tensor's member says nothing of its numbers, or writes them.</summary>
    public static bool IsHarmless(string member) => _shapes.Contains(member) || member.EndsWith("_", StringComparison.Ordinal);

    /// <summary>The methods of TorchSharp's modules that give weights.</summary>
    public static bool GivesWeights(IMethodSymbol method) => method.Name is "parameters" or "named_parameters" or "state_dict" or "get_parameter";

    public bool IsTensor(ITypeSymbol? type) => type is not null && (graph.Known.IsTensor(type) || KnownTypes.DerivesFrom(type, graph.Known.Parameter));

    /// <summary>Whether a value of a type may be or hold a module, or a list of weights.</summary>
    public bool CanCarry(ITypeSymbol? type)
    {
        if (type is null)
            return false;
        if (!_known.TryGetValue(type, out var carries))
        {
            // A type may be its own argument.
            _known[type] = false;
            _known[type] = carries = Carries(type);
        }

        return carries;
    }

    private bool Carries(ITypeSymbol type)
    {
        switch (type)
        {
            case IDynamicTypeSymbol or ITypeParameterSymbol:
                return true;
            case IArrayTypeSymbol array:
                return CanCarry(array.ElementType);
            case INamedTypeSymbol named:
                if (named.SpecialType == SpecialType.System_Object || graph.Known.IsModule(named) || IsTensor(named))
                    return true;
                if (named.SpecialType != SpecialType.None && !named.IsGenericType && named.SpecialType is not (SpecialType.System_Collections_IEnumerable or SpecialType.System_IDisposable or SpecialType.System_Delegate or SpecialType.System_MulticastDelegate)
                    || named.TypeKind is TypeKind.Enum or TypeKind.Error)
                    return false;
                if (named.IsTupleType)
                    return named.TupleElements.Any(e => CanCarry(e.Type));
                if (named.TypeArguments.Length > 0)
                    return named.TypeKind == TypeKind.Delegate || named.TypeArguments.Any(CanCarry) || !IsOfTheFramework(named.ContainingAssembly);
                return named.TypeKind is TypeKind.Delegate or TypeKind.Interface || !IsOfTheFramework(named.ContainingAssembly);
            default:
                return false;
        }
    }

    /// <summary>Whether a value of a type may be or hold a module.</summary>
    public bool CanHoldModules(ITypeSymbol? type) => CanCarry(type) && !IsTensor(type) && type switch
    {
        IArrayTypeSymbol array => CanHoldModules(array.ElementType),
        INamedTypeSymbol { IsTupleType: true } tuple => tuple.TupleElements.Any(e => CanHoldModules(e.Type)),
        INamedTypeSymbol { IsGenericType: true, TypeKind: not TypeKind.Delegate } named when !graph.Known.IsModule(named) && IsOfTheFramework(named.ContainingAssembly) => named.TypeArguments.Any(CanHoldModules),
        _ => true,
    };

    /// <summary>Whether a value holds tensors without being one.</summary>
    public bool HoldsTensors(ITypeSymbol? type) => type switch
    {
        IArrayTypeSymbol array => IsTensor(array.ElementType) || HoldsTensors(array.ElementType),
        INamedTypeSymbol { IsGenericType: true } named when !graph.Known.IsModule(named) => named.TypeArguments.Any(a => IsTensor(a) || HoldsTensors(a)),
        _ => false,
    };

    /// <summary>The libraries that keep, list or show what they are handed, and run it only through what they return.</summary>
    public static bool IsOfTheFramework(IAssemblySymbol? assembly) =>
        assembly is null || assembly.Name is "PeftGen" or "mscorlib" or "netstandard" || assembly.Name.StartsWith("System", StringComparison.Ordinal)
        || assembly.Name.StartsWith("Microsoft.", StringComparison.Ordinal) || assembly.Name.StartsWith("TorchSharp", StringComparison.Ordinal);

    /// <summary>Whether code of a symbol can be looked into: an editor has that of referenced projects too, which are not compiled here.</summary>
    public bool IsSource(ISymbol symbol) => !symbol.DeclaringSyntaxReferences.IsEmpty && SymbolEqualityComparer.Default.Equals(symbol.ContainingAssembly, graph.Compilation.Assembly);
}
