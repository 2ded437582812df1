using System.Text.Json;

namespace PeftGen.QuickStart.Texts;

/// <summary>Texts from a file with one JSON object a line.</summary>
internal static class JsonLines
{
    private const string Example = "{\"text\": \"Once upon a time …\"}";

    /// <summary>Reads the field "text" of every line; empty lines are passed over.</summary>
    /// <param name="path">The file.</param>
    /// <param name="atLeast">How many lines there have to be.</param>
    /// <exception cref="QuickStartException">There is no such file, a line is not as expected, or there are too few.</exception>
    public static IReadOnlyList<string> ReadTexts(string path, int atLeast)
    {
        if (!File.Exists(path)) throw new QuickStartException($"{path}: there is no such file, expected one JSON object a line, such as {Example}. Check the path given with --data.");
        var texts = File.ReadLines(path).Index().Where(line => !string.IsNullOrWhiteSpace(line.Item)).Select(line => TextOf(line.Item, $"{path}, line {line.Index + 1}")).ToList();
        return texts.Count >= atLeast ? texts
            : throw new QuickStartException($"{path}: {texts.Count} {(texts.Count == 1 ? "line" : "lines")} with text, expected at least {atLeast}, so that some can be kept for examination. Add more.");
    }

    private static string TextOf(string line, string where)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            if (json.RootElement.ValueKind != JsonValueKind.Object) throw Wrong(where, $"the line is {Kind(json.RootElement)}");
            if (!json.RootElement.TryGetProperty("text", out var text))
                throw Wrong(where, $"there is no field \"text\"; the fields are {string.Join(", ", json.RootElement.EnumerateObject().Select(field => $"\"{field.Name}\"").DefaultIfEmpty("none"))}");
            if (text.ValueKind != JsonValueKind.String) throw Wrong(where, $"\"text\" is {Kind(text)}");
            return text.GetString() is { Length: > 0 } value ? value : throw Wrong(where, "\"text\" is empty");
        }
        catch (JsonException error)
        {
            throw new QuickStartException($"{where}: this is no JSON, at character {error.BytePositionInLine + 1}. Expected an object such as {Example}.", error);
        }
    }

    private static QuickStartException Wrong(string where, string found) => new($"{where}: {found}, expected an object such as {Example}.");

    private static string Kind(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a text",
        JsonValueKind.Number => "a number",
        JsonValueKind.Null => "null",
        _ => "true or false",
    };
}
