using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using PeftGen.Checkpoints;

namespace PeftGen.Methods;

/// <summary>Reads the fields of a configuration file, with errors that say what was found.</summary>
/// <param name="json">The object of one method.</param>
internal readonly struct ConfigReader(JsonObject json)
{
    private const string NamesOrExpression = "a list of names or a regular expression";

    public int Int(string field, int otherwise) => Value(field) is { } value ? Read<int>(field, value, "a whole number") : otherwise;

    public double Double(string field, double otherwise) => Value(field) is { } value ? Read<double>(field, value, "a number") : otherwise;

    public bool Bool(string field, bool otherwise) => Value(field) is { } value ? Read<bool>(field, value, "true or false") : otherwise;

    public string? Text(string field) => Value(field) is { } value ? Read<string>(field, value, "a string") : null;

    /// <summary>A probability with which something is dropped, at least 0 and less than 1.</summary>
    public double Dropout(string field, double otherwise) => Double(field, otherwise) is var p and >= 0 and < 1 ? p : throw new AdapterException(
        $"'{field}' is {JsonFile.Shown(Value(field))}, expected a probability of at least 0 and less than 1.");

    /// <summary>A size, at least 1.</summary>
    public int Size(string field, int otherwise) => Int(field, otherwise) is var size and >= 1 ? size : throw new AdapterException(
        $"'{field}' is {JsonFile.Shown(Value(field))}, expected a whole number of at least 1.");

    /// <summary>
    /// Targets as a list for <see cref="TargetList"/>. In HF PEFT's files a list has names of modules and nothing else, and a text is a regular expression of Python's; in those of this library's own
    /// forms and of AdapterHub both are as in attributes.
    /// </summary>
    public string? Targets(string field)
    {
        if (Text("peft_type") is not { } type || type.StartsWith(AdapterConfig.GroupType, StringComparison.Ordinal))
            return OwnTargets(field);
        return Value(field) switch
        {
            JsonValue text when Read<string>(field, text, NamesOrExpression) is var expression =>
                expression == TargetList.AllLinear ? expression : TargetList.RegexPrefix + expression,
            _ => Names(field, NamesOrExpression) is { Count: > 0 } names ? string.Join(",", names.Select(TargetNames.Of)) : null,
        };
    }

    /// <summary>Targets that are written as in attributes.</summary>
    public string? OwnTargets(string field) => Value(field) switch
    {
        JsonValue text when Read<string>(field, text, NamesOrExpression) is var expression => expression == TargetList.AllLinear ? expression : TargetList.RegexPrefix + expression,
        _ => Names(field, NamesOrExpression) is { Count: > 0 } names ? string.Join(",", names) : null,
    };

    /// <summary>A regular expression, or a list of them; null: there is none.</summary>
    public string[]? Expressions(string field) => Value(field) is JsonValue text ? Read<string>(field, text, "a name or a list of names") is { Length: > 0 } only ? [only] : null
            : Names(field) is { Count: > 0 } names ? [.. names] : null;

    /// <summary>Whether a field is a text and no list.</summary>
    public bool IsText(string field) => Value(field) is JsonValue value && value.GetValueKind() == JsonValueKind.String;

    /// <summary>A list of names, each once; null: there is none.</summary>
    public IReadOnlyList<string>? Names(string field, string expected = "a list of names") => Value(field) switch
    {
        null => null,
        JsonArray names => [.. names.Select(name => Read<string>(field, name, expected)).Distinct()],
        var other => throw new AdapterException($"'{field}' is {JsonFile.Shown(other)}, expected {expected}."),
    };

    public int[]? Ints(string field)
    {
        const string Expected = "a list of whole numbers";
        return Value(field) switch
        {
            null or JsonArray { Count: 0 } => null,
            JsonArray numbers => numbers.Select(number => Read<int>(field, number, Expected)).ToArray(),
            var one => [Read<int>(field, one, Expected)],
        };
    }

    /// <summary>A member of an enum, by its name in lower case.</summary>
    public T Choice<T>(string field, T otherwise) where T : struct, Enum =>
        Text(field) is not { } name ? otherwise
        // Numbers are not meant, which the parser takes, too.
        : Enum.TryParse<T>(name, ignoreCase: true, out var value) && Enum.GetNames<T>().Contains(name, StringComparer.OrdinalIgnoreCase) ? value
        : throw new AdapterException($"'{field}' is {JsonFile.Shown(Value(field))}, expected one of {string.Join(", ", Enum.GetNames<T>().Select(n => n.ToLowerInvariant()))}.");

    /// <summary>A dictionary of patterns, as text: <c>down_proj=6, v_proj=2</c>.</summary>
    public string Patterns(string field)
    {
        if (Value(field) is not { } value)
            return "";
        var patterns = value as JsonObject ?? throw new AdapterException($"'{field}' is {JsonFile.Shown(value)}, expected an object from names to numbers.");
        return string.Join(", ", patterns.Select(p => p.Value is { } number && number.GetValueKind() == JsonValueKind.Number
            ? PatternEntry.Write(p.Key, number.ToJsonString())
            : throw new AdapterException($"'{field}' has {JsonFile.Shown(p.Value)} for '{p.Key}', expected a number.")));
    }

    /// <summary>Refuses a field that asks for what this library does not do: a value that is not null, false, empty, or one of those given.</summary>
    public void Refuse(string field, string what, params string[] harmless)
    {
        if (Value(field) is not { } value)
            return;
        var text = value.ToJsonString();
        if (text is not ("false" or "{}" or "[]") && !harmless.Contains(text))
            throw new AdapterException($"'{field}' is {JsonFile.Shown(value)}: {what} is not supported. Load the adapter with a library that has it, or train one without.");
    }

    private JsonNode? Value(string field) => json.TryGetPropertyValue(field, out var value) ? value : null;

    private static T Read<T>(string field, JsonNode? value, string expected)
    {
        if (value is JsonValue single)
        {
            if (single.TryGetValue(out T? read))
                return read;
            // A value that was made in memory keeps the type that it was made of.
            if (typeof(T) == typeof(double) && single.GetValueKind() == JsonValueKind.Number)
                return (T)(object)double.Parse(single.ToJsonString(), CultureInfo.InvariantCulture);
        }

        throw new AdapterException($"'{field}' {(value is null ? "has null" : $"is {JsonFile.Shown(value)}")}, expected {expected}.");
    }
}

/// <summary>Writes values as configuration files have them.</summary>
internal static class ConfigWriter
{
    /// <summary>Targets as HF PEFT writes them: a sorted list, or a string for a regular expression.</summary>
    /// <param name="names">The words for the sites of a claim.</param>
    public static JsonNode Targets(IReadOnlyList<string> names) =>
        names is [var only] && only.StartsWith(TargetList.RegexPrefix, StringComparison.Ordinal) ? JsonValue.Create(only[TargetList.RegexPrefix.Length..]) : Names(names);

    /// <summary>Targets as they are written in attributes.</summary>
    public static JsonNode OwnTargets(string targets) => Targets([.. TargetList.Parse(targets).Items.Select(item => item.Text)]);

    public static JsonArray Names(IEnumerable<string> names) => new(names.Order(StringComparer.Ordinal).Select(n => (JsonNode?)JsonValue.Create(n)).ToArray());

    public static JsonArray? Ints(int[]? numbers) => numbers is null ? null : new JsonArray(numbers.Select(n => (JsonNode?)JsonValue.Create(n)).ToArray());

    /// <summary>A member of an enum as <see cref="ConfigReader.Choice"/> reads it.</summary>
    public static JsonNode Choice<T>(T value) where T : struct, Enum => JsonValue.Create(value.ToString().ToLowerInvariant());

    /// <summary>A number with a fraction even where it is whole, for readers that tell a float from an int.</summary>
    public static JsonNode Float(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonNode.Parse(value.ToString("0.0", CultureInfo.InvariantCulture))! : JsonValue.Create(value);

    /// <summary>A number without a fraction where it has none, as Python writes an int.</summary>
    public static JsonNode Number(double value) => value == Math.Floor(value) && Math.Abs(value) < 1e15 ? JsonValue.Create((long)value) : JsonValue.Create(value);
}
