using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Methods;

/// <summary>Reads the fields of a configuration file, with errors that say what was found.</summary>
/// <param name="json">The object of one method.</param>
internal readonly struct ConfigReader(JsonObject json)
{
    public int Int(string field, int otherwise) => Value(field) is { } value ? Read<int>(field, value, "a whole number") : otherwise;

    public double Double(string field, double otherwise) => Value(field) is { } value ? Read<double>(field, value, "a number") : otherwise;

    public bool Bool(string field, bool otherwise) => Value(field) is { } value ? Read<bool>(field, value, "true or false") : otherwise;

    public string? Text(string field) => Value(field) is { } value ? Read<string>(field, value, "a string") : null;

    /// <summary>Targets as HF PEFT writes them, as a list for <see cref="TargetList"/>: a list of names, <c>all-linear</c>, or a regular expression.</summary>
    public string? Targets(string field) => Value(field) switch
    {
        null => null,
        JsonArray { Count: 0 } => null,
        JsonArray names => string.Join(",", names.Select(n => n!.GetValue<string>()).Distinct()),
        JsonValue text when text.GetValue<string>() == TargetList.AllLinear => TargetList.AllLinear,
        JsonValue text => "regex:" + text.GetValue<string>(),
        var other => throw new AdapterException($"'{field}' is {other.ToJsonString()}, expected a list of names or a regular expression."),
    };

    public int[]? Ints(string field) => Value(field) switch
    {
        null => null,
        JsonValue one => [one.GetValue<int>()],
        JsonArray { Count: 0 } => null,
        JsonArray numbers => numbers.Select(n => n!.GetValue<int>()).ToArray(),
        var other => throw new AdapterException($"'{field}' is {other.ToJsonString()}, expected a list of whole numbers."),
    };

    /// <summary>A member of an enum, by its name in lower case.</summary>
    public T Choice<T>(string field, T otherwise) where T : struct, Enum =>
        Text(field) is not { } name ? otherwise
        : Enum.TryParse<T>(name, ignoreCase: true, out var value) ? value
        : throw new AdapterException($"'{field}' is \"{name}\", expected one of {string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()))}.");

    /// <summary>A dictionary of patterns, as text: <c>down_proj=6, v_proj=2</c>.</summary>
    public string Patterns(string field) => Value(field) is JsonObject patterns
        ? string.Join(", ", patterns.Select(p => $"{p.Key}={p.Value!.ToJsonString()}"))
        : "";

    /// <summary>Refuses a field that asks for what this library does not do: a value that is not null, false, empty, or one of those given.</summary>
    public void Refuse(string field, string what, params string[] harmless)
    {
        if (Value(field) is not { } value)
            return;
        var text = value.ToJsonString();
        if (text is not ("false" or "{}" or "[]") && !harmless.Contains(text))
            throw new AdapterException($"'{field}' is {text}: {what} is not supported. Load the adapter with a library that has it, or train one without.");
    }

    private JsonNode? Value(string field) => json.TryGetPropertyValue(field, out var value) ? value : null;

    private static T Read<T>(string field, JsonNode value, string expected)
    {
        if (value is JsonValue single)
        {
            if (single.TryGetValue(out T? read))
                return read;
            if (typeof(T) == typeof(double) && single.GetValueKind() == JsonValueKind.Number)
                return (T)(object)double.Parse(single.ToJsonString(), CultureInfo.InvariantCulture);
        }

        throw new AdapterException($"'{field}' is {value.ToJsonString()}, expected {expected}.");
    }
}

/// <summary>Writes values as configuration files have them.</summary>
internal static class ConfigWriter
{
    /// <summary>Targets as HF PEFT writes them: a sorted list, or a string for a regular expression.</summary>
    public static JsonNode? Targets(TargetList? targets, IReadOnlyList<string> names) =>
        targets is null ? null
        : targets.Text.StartsWith("regex:", StringComparison.Ordinal) ? JsonValue.Create(targets.Text["regex:".Length..])
        : Names(names);

    public static JsonArray Names(IEnumerable<string> names) => new(names.Order(StringComparer.Ordinal).Select(n => (JsonNode?)JsonValue.Create(n)).ToArray());

    public static JsonArray? Ints(int[]? numbers) => numbers is null ? null : new JsonArray(numbers.Select(n => (JsonNode?)JsonValue.Create(n)).ToArray());

    /// <summary>A member of an enum as <see cref="ConfigReader.Choice"/> reads it.</summary>
    public static JsonNode Choice<T>(T value) where T : struct, Enum => JsonValue.Create(value.ToString().ToLowerInvariant());

    /// <summary>A number with a fraction even where it is whole, for readers that tell a float from an int.</summary>
    public static JsonNode Float(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonNode.Parse(value.ToString("0.0", CultureInfo.InvariantCulture))! : JsonValue.Create(value);

    /// <summary>A number without a fraction where it has none, as Python writes an int.</summary>
    public static JsonNode Number(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonValue.Create((long)value) : JsonValue.Create(value);
}
