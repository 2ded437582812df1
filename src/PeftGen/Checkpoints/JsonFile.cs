using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace PeftGen.Checkpoints;

/// <summary>JSON files of a checkpoint.</summary>
internal static class JsonFile
{
    public static JsonObject ReadObject(string path, string purpose)
    {
        if (!File.Exists(path)) throw new CheckpointException($"{path}: there is no such file, expected {purpose}. Check the path.");
        try
        {
            var node = JsonNode.Parse(File.ReadAllBytes(path), documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
            return node as JsonObject ?? throw new CheckpointException($"{path}: found JSON {node?.GetValueKind().ToString() ?? "null"}, expected an object: {purpose}.");
        }
        catch (JsonException e)
        {
            throw new CheckpointException($"{path}: not valid JSON ({e.Message}), expected {purpose}. Fetch or write the file again.", e);
        }
    }

    /// <summary>Writes an indented object, with names and texts as they are.</summary>
    public static void Write(Stream stream, JsonObject value)
    {
        using (var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            value.WriteTo(json);
        stream.WriteByte((byte)'\n');
    }
}
