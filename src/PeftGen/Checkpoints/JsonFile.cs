using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;

namespace PeftGen.Checkpoints;

/// <summary>JSON files of a checkpoint.</summary>
internal static class JsonFile
{
    // The longest that is known, the index of a model with 90,000 tensors, has 9 MB.
    private const int MaxBytes = 1 << 26;

    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Reads an object. All of its names, texts and numbers can be read without another check.</summary>
    /// <param name="path">The file.</param>
    /// <param name="purpose">What it should be, for messages.</param>
    /// <exception cref="CheckpointException">The file is missing or holds something else.</exception>
    public static JsonObject ReadObject(string path, string purpose)
    {
        using var file = CheckpointFile.Open(path, purpose);
        return ReadObject(file, path, purpose);
    }

    /// <inheritdoc cref="ReadObject(string, string)"/>
    public static JsonObject ReadObject(SafeFileHandle file, string path, string purpose)
    {
        var length = RandomAccess.GetLength(file);
        if (length > MaxBytes)
            throw new CheckpointException($"{path}: the file has {length} bytes, expected at most {MaxBytes}: {purpose}. Check the path.");
        var bytes = new byte[length];
        CheckpointFile.ReadExactly(file, path, bytes, 0);
        try
        {
            // What follows looks at strings and numbers one by one, and only at those that somebody asks for.
            Strict.GetCharCount(bytes);
            Check(bytes, path);
            var node = JsonNode.Parse(bytes, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (node is not JsonObject json)
                throw new CheckpointException($"{path}: found JSON {node?.GetValueKind().ToString() ?? "null"}, expected an object: {purpose}.");
            return json;
        }
        catch (DecoderFallbackException e)
        {
            throw new CheckpointException($"{path}: not valid UTF-8 (byte {e.Index}), expected {purpose}. Fetch or write the file again.", e);
        }
        // The second: half a pair of surrogates.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
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

    /// <summary>A value in a message: as JSON, and no longer than can be read.</summary>
    public static string Shown(JsonNode? node) => Shown(node?.ToJsonString() ?? "null");

    private static string Shown(string text)
    {
        const int Longest = 120;
        return text.Length <= Longest ? text : $"{text[..Longest]}… ({text.Length} characters)";
    }

    /// <summary>Numbers that no double has, such as 1e400, and texts that are no Unicode are found here and not where they are used.</summary>
    private static void Check(ReadOnlySpan<byte> bytes, string path)
    {
        var reader = new Utf8JsonReader(bytes);
        var field = "";
        while (reader.Read())
            switch (reader.TokenType)
            {
                case JsonTokenType.PropertyName:
                    field = reader.GetString()!;
                    break;
                case JsonTokenType.String:
                    reader.GetString();
                    break;
                case JsonTokenType.Number when !reader.TryGetDouble(out var number) || !double.IsFinite(number):
                    throw new CheckpointException($"{path}: '{field}' is {Shown(Encoding.UTF8.GetString(reader.ValueSpan))}, expected a finite number. Write the file again.");
            }
    }
}
