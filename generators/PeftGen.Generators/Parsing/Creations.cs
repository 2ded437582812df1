using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.Operations;

namespace PeftGen.Generators.Parsing;

/// <summary>How layers are made, where the code shows it: <c>norm = LayerNorm(64, bias: false)</c>.</summary>
internal sealed class Creations(ModelGraph graph, BodyScanner scanner)
{
    private static readonly string[] _affine = ["affine", "elementwise_affine"];
    private static readonly string[] _biases = ["bias", "hasBias", .. _affine];
    private readonly Dictionary<ModelChild, Dictionary<string, object?>?> _known = [];

    /// <summary>The value of an argument, or its default, by the parameter's name; null: there is none of that name, or the code does not show it.</summary>
    public object? ArgumentOf(ModelChild child, string parameter) => ArgumentsOf(child) is { } arguments && arguments.TryGetValue(parameter, out var value) ? value : null;

    /// <summary>The same, of a whole number, by any of several names.</summary>
    public long? NumberOf(ModelChild child, params string[] parameters) =>
        parameters.Select(name => ArgumentOf(child, name)).Select(value => value switch { long wide => wide, int number => number, _ => (long?)null }).FirstOrDefault(number => number is not null);

    /// <summary>Whether a layer is sure to have a parameter, <c>weight</c> or <c>bias</c>.</summary>
    public bool Has(ModelChild child, string parameter) =>
        (parameter == "weight" && IsOneOf(child.Type, "Linear", "FastLinear", "Embedding", "Convolution"))
        || (IsOneOf(child.Type, "Linear", "FastLinear", "Convolution", "LayerNorm", "GroupNorm", "NormBase") && ArgumentsOf(child) is { } arguments
            && (parameter == "bias" ? _biases : _affine).Where(arguments.ContainsKey).Select(name => arguments[name]).ToList() is { Count: > 0 } switches && switches.All(value => value is true));

    /// <summary>Whether a layer is sure to be without a parameter, <c>weight</c> or <c>bias</c>: <c>Linear(4, 4, hasBias: false)</c>.</summary>
    public bool Lacks(ModelChild child, string parameter) =>
        ArgumentsOf(child) is { } arguments && (parameter == "bias" ? _biases : _affine).Any(name => arguments.TryGetValue(name, out var value) && value is false);

    /// <summary>Whether a type is one of TorchSharp's layers, or this library's, or derives from one.</summary>
    private static bool IsOneOf(ITypeSymbol type, params string[] names)
    {
        for (ITypeSymbol? current = type; current is not null; current = current.BaseType)
            if (names.Contains(current.Name) && current.ContainingNamespace.ToDisplayString() is "TorchSharp.Modules" or "PeftGen")
                return true;
        return false;
    }

    private Dictionary<string, object?>? ArgumentsOf(ModelChild child)
    {
        if (!_known.TryGetValue(child, out var arguments))
            _known[child] = arguments = Read(child);
        return arguments;
    }

    /// <summary>How many modules a list is made with, where nothing is added later; null: the code does not show it.</summary>
    public int? CountOf(ModelChild child)
    {
        if (!child.IsList || child.IsNullable || AssignedValues.AccessesTo(child).Any(name => name is "Add" or "add" or "append" or "insert" or "extend" or "Insert" or "AddRange" or "Remove" or "RemoveAt" or "Clear"))
            return null;
        return CallThatMakes(child) is not { } call ? null
            : call.arguments is [{ ArgumentKind: ArgumentKind.ParamArray, Value: IArrayCreationOperation { Initializer.ElementValues: var elements } }] ? elements.Length
            : call.arguments is [{ Value: var only }] ? CountIn(only) : null;
    }

    /// <summary>The number in <c>Enumerable.Range(0, 12).Select(_ => new Block()).ToArray()</c>.</summary>
    private static int? CountIn(IOperation value) => value switch
    {
        IConversionOperation conversion => CountIn(conversion.Operand),
        IInvocationOperation { TargetMethod: { Name: "Range", ContainingType.Name: "Enumerable" }, Arguments: [_, { Value.ConstantValue: { HasValue: true, Value: int count } }] } => count,
        IInvocationOperation { TargetMethod: { Name: "Select" or "ToArray" or "ToList", ContainingType.Name: "Enumerable" }, Arguments: [{ Value: var source }, ..] } => CountIn(source),
        _ => null,
    };

    private Dictionary<string, object?>? Read(ModelChild child) => child.IsList || CallThatMakes(child) is not { } call ? null
        : call.arguments.Where(a => a.Parameter is not null).GroupBy(a => a.Parameter!.Name).Select(g => g.First()).ToDictionary(a => a.Parameter!.Name, a => a.Value.ConstantValue is { HasValue: true, Value: var value } ? value : null);

    /// <summary>The only call that makes what a child holds, if it is one of TorchSharp's or this library's; null: the code does not show it.</summary>
    private (IMethodSymbol method, IReadOnlyList<IArgumentOperation> arguments)? CallThatMakes(ModelChild child)
    {
        // Other classes can see to the rest.
        var isOwn = child.Symbol is IFieldSymbol field ? field.IsReadOnly || field.DeclaredAccessibility == Accessibility.Private
            : ((IPropertySymbol)child.Symbol).SetMethod is not { } setter || setter.IsInitOnly || setter.DeclaredAccessibility == Accessibility.Private;
        if (!isOwn || AssignedValues.Of(child) is not [var only])
            return null;
        var (method, arguments) = scanner.ModelOf(only.SyntaxTree).GetOperation(only) switch
        {
            IInvocationOperation call => (call.TargetMethod, call.Arguments),
            IObjectCreationOperation { Constructor: { } constructor } creation => (constructor, creation.Arguments),
            _ => (null, []),
        };
        var known = new[] { graph.Known.Module.ContainingAssembly, graph.Known.Adapt.ContainingAssembly };
        return method is not null && known.Contains(method.ContainingAssembly, SymbolEqualityComparer.Default) ? (method, arguments) : null;
    }
}
