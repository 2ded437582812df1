using System.Text.Json;
using System.Text.Json.Nodes;
using PeftGen.Checkpoints;

namespace PeftGen.Models;

/// <summary>Reads the fields of a Hugging Face <c>config.json</c> and says which one is wrong.</summary>
internal sealed class ConfigReader(JsonObject json, string where)
{
    /// <summary>Starts to read a configuration whose <c>model_type</c> must be the given one.</summary>
    public static ConfigReader Of(JsonObject json, string modelType)
    {
        var reader = new ConfigReader(json, "config.json");
        var found = reader.Text("model_type", null);
        return found == modelType ? reader : throw Error($"config.json: model_type is {found ?? "absent"}, expected {modelType}. Give the folder of a {modelType} model.");
    }

    public long Count(string name, long? absent = null)
    {
        var value = Value(name);
        if (value is null) return absent ?? throw Absent(name);
        if (value.GetValueKind() == JsonValueKind.Number && value.AsValue().TryGetValue<long>(out var number) && number > 0) return number;
        throw Wrong(name, value, "a whole number above 0");
    }

    public double Number(string name, double? absent = null)
    {
        var value = Value(name);
        if (value is null) return absent ?? throw Absent(name);
        return value.GetValueKind() == JsonValueKind.Number ? value.AsValue().GetValue<double>() : throw Wrong(name, value, "a number");
    }

    public bool Flag(string name, bool absent) => Value(name) switch
    {
        null => absent,
        { } value => value.GetValueKind() switch
        {
            JsonValueKind.True => true,
            JsonValueKind.False => false,
            _ => throw Wrong(name, value, "true or false"),
        },
    };

    public string? Text(string name, string? absent) => Value(name) switch
    {
        null => absent,
        { } value => value.GetValueKind() == JsonValueKind.String ? value.GetValue<string>() : throw Wrong(name, value, "a text"),
    };

    /// <summary>The number of entries of an object, or null where it is absent.</summary>
    public int? Entries(string name) => Value(name) switch
    {
        null => null,
        JsonObject value => value.Count,
        { } value => throw Wrong(name, value, "an object"),
    };

    /// <summary>A reader of a nested object, or null where it is absent.</summary>
    public ConfigReader? Nested(string name) => Value(name) switch
    {
        null => null,
        JsonObject value => new ConfigReader(value, $"{where}: {name}"),
        { } value => throw Wrong(name, value, "an object"),
    };

    /// <summary>Refuses a value that the models here do not compute.</summary>
    public void Require(bool supported, string name, string expected)
    {
        if (!supported) throw Wrong(name, Value(name), expected);
    }

    private JsonNode? Value(string name) => json.TryGetPropertyValue(name, out var value) ? value : null;

    private CheckpointException Absent(string name) => Error($"{where}: the field '{name}' is absent, expected a number. Complete the file.");

    private CheckpointException Wrong(string name, JsonNode? value, string expected) =>
        Error($"{where}: '{name}' is {value?.ToJsonString() ?? "absent"}, expected {expected}. Other values are not supported by this class.");

    private static CheckpointException Error(string message) => new(message);
}
