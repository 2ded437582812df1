using System.Globalization;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Parsing;

/// <summary>Writes a declaration's constants as an expression that makes the same value at run time.</summary>
internal static class DeclaredValues
{
    /// <summary><c>new global::Mine.Method(size: 8, targets: "q,v") { Rate = 0.1 }</c></summary>
    public static string Creation(DeclaredMethod method)
    {
        var constructor = method.Data.AttributeConstructor!;
        var given = constructor.Parameters
            .Select((parameter, i) => (parameter, value: method.Data.ConstructorArguments[i]))
            .Where(p => !p.parameter.HasExplicitDefaultValue || p.value.Kind == TypedConstantKind.Array || !Equals(p.parameter.ExplicitDefaultValue, p.value.Value))
            .Select(p => $"{p.parameter.Name}: {Write(p.value)}");
        var named = method.Data.NamedArguments.Select(n => $"{n.Key} = {Write(n.Value)}").ToList();
        var arguments = string.Join(", ", given);
        return $"new {method.Type.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat)}{(arguments.Length == 0 && named.Count > 0 ? "" : $"({arguments})")}"
            + (named.Count == 0 ? "" : $" {{ {string.Join(", ", named)} }}");
    }

    private static string Write(TypedConstant value) => value.Kind switch
    {
        _ when value.IsNull => "null",
        TypedConstantKind.Array => $"new {value.Type!.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat)} {{ {string.Join(", ", value.Values.Select(Write))} }}",
        TypedConstantKind.Type => $"typeof({((ITypeSymbol)value.Value!).ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat)})",
        TypedConstantKind.Enum => WriteEnum(value),
        _ when value.Value is double or float => WriteReal(value.Value),
        _ => SymbolDisplay.FormatPrimitive(value.Value!, quoteStrings: true, useHexadecimalNumbers: false)!,
    };

    private static string WriteReal(object value)
    {
        var number = Convert.ToDouble(value, CultureInfo.InvariantCulture);
        var type = value is float ? "float" : "double";
        return double.IsNaN(number) ? $"{type}.NaN"
            : double.IsInfinity(number) ? $"{type}.{(number > 0 ? "PositiveInfinity" : "NegativeInfinity")}"
            : SymbolDisplay.FormatPrimitive(value, quoteStrings: true, useHexadecimalNumbers: false) + (value is float ? "f" : "");
    }

    private static string WriteEnum(TypedConstant value)
    {
        var type = value.Type!.ToDisplayString(SymbolDisplayFormat.FullyQualifiedFormat);
        var member = value.Type.GetMembers().OfType<IFieldSymbol>().FirstOrDefault(f => Equals(f.ConstantValue, value.Value));
        return member is null ? $"({type})({value.Value})" : $"{type}.{member.Name}";
    }
}
