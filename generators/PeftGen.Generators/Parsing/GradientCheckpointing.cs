using System.Linq;
using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Parsing;

/// <summary>Blocks that <c>[GradientCheckpointing]</c> stands on: their calls can be computed again in the backward pass.</summary>
internal static class GradientCheckpointing
{
    public const string Attribute = "GradientCheckpointingAttribute";

    /// <summary>Whether the attribute stands on the class or on one that it derives from.</summary>
    public static bool Covers(ModelClass type) => type.Lineage.Any(t => DeclaredMethod.AttributesOf(t.Symbol, Attribute).Any());

    /// <summary>Why a block's forward cannot be run a second time; null: it can.</summary>
    public static string? Fault(IMethodSymbol forward, KnownTypes known) =>
        !known.IsTensor(forward.ReturnType) ? $"its forward returns {Name(forward.ReturnType)}, and only one Tensor can be computed again; put it on a class whose forward returns that"
        : forward.IsGenericMethod ? "its forward has type parameters; put it on a class whose forward has none"
        : forward.Parameters.FirstOrDefault(p => p.RefKind != RefKind.None) is { } reference ? $"its forward takes {reference.Name} by reference, and a second run would write it again; pass it by value"
        : forward.Parameters.FirstOrDefault(p => !known.IsTensor(p.Type) && !IsPlain(p.Type) && !IsAbsentInTraining(p)) is { } holder
            ? $"its forward takes {holder.Name}, and gradients of tensors in a {Name(holder.Type)} would be lost; pass the tensors themselves, or make it nullable where training gives none"
        : null;

    /// <summary>Whether an argument is a value without tensors.</summary>
    private static bool IsPlain(ITypeSymbol type) =>
        type.SpecialType is not (SpecialType.None or SpecialType.System_Object) || type.TypeKind == TypeKind.Enum
        || (type is INamedTypeSymbol { OriginalDefinition.SpecialType: SpecialType.System_Nullable_T } nullable && IsPlain(nullable.TypeArguments[0]));

    /// <summary>Whether an argument may be null, as a cache of keys and values is in training: a block that is given one runs as always.</summary>
    public static bool IsAbsentInTraining(IParameterSymbol parameter) =>
        parameter.Type is { IsReferenceType: true, SpecialType: SpecialType.None } && parameter.NullableAnnotation == NullableAnnotation.Annotated;

    private static string Name(ITypeSymbol type) => type.ToDisplayString(SymbolDisplayFormat.MinimallyQualifiedFormat);
}
