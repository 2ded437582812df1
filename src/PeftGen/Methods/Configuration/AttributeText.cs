using System.Globalization;

namespace PeftGen.Methods;

/// <summary>Writes a method as one would declare it: <c>[LoRA(rank: 4, targets: "q_proj", Dropout = 0.1)]</c>.</summary>
internal sealed class AttributeText(string method)
{
    private readonly List<string> _arguments = [];

    /// <summary>How many values are written.</summary>
    public int Count => _arguments.Count;

    public AttributeText Argument(string name, object? value, object? otherwise = null)
    {
        if (!Equals(value, otherwise))
            _arguments.Add($"{name}: {(value is null ? "null" : Literal(value))}");
        return this;
    }

    public AttributeText Property(string name, object? value, object? otherwise = null)
    {
        if (value is not null && !Equals(value, otherwise))
            _arguments.Add($"{name} = {Literal(value)}");
        return this;
    }

    /// <summary>Adds what all methods have.</summary>
    public AttributeText Common(AdaptAttribute method) =>
        Property(nameof(method.ModulesToSave), method.ModulesToSave).Property(nameof(method.Group), method.Group);

    public override string ToString() => $"[{method}{(_arguments.Count == 0 ? "" : $"({string.Join(", ", _arguments)})")}]";

    private static string Literal(object? value) => value switch
    {
        null => "null",
        string text => $"\"{text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"",
        bool flag => flag ? "true" : "false",
        string[] texts => $"new[] {{ {string.Join(", ", texts.Select(Literal))} }}",
        int[] numbers => $"new int[] {{ {string.Join(", ", numbers)} }}",
        Enum member => $"{member.GetType().Name}.{member}",
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString()!,
    };
}
