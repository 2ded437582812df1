using System.Text;
using System.Text.Json;

namespace PeftGen.Checkpoints;

/// <summary>
/// Reads a safetensors header and checks all of it: what this returns describes exactly the bytes that the file holds, so
/// that tensors can be allocated from it without further thought.
/// </summary>
internal sealed class SafetensorsHeader
{
    /// <summary>The reference implementation's limit. A larger number is a file of another kind.</summary>
    public const long MaxBytes = 100_000_000;

    /// <summary>More dimensions than torch's operations take.</summary>
    private const int MaxDimensions = 64;

    private const string Damaged = "The file is damaged, incomplete or of another kind: fetch or write it again.";

    private readonly string _path;
    private readonly Dictionary<string, SafetensorsEntry> _entries = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _metadata = new(StringComparer.Ordinal);
    private readonly List<string> _names = [];

    private SafetensorsHeader(string path) => _path = path;

    /// <summary>Names in the order of the header.</summary>
    public IReadOnlyList<string> Names => _names;

    public IReadOnlyDictionary<string, SafetensorsEntry> Entries => _entries;

    public IReadOnlyDictionary<string, string> Metadata => _metadata;

    /// <summary>How many bytes the tensors have in all.</summary>
    public long Bytes { get; private set; }

    /// <summary>How many numbers there are in all.</summary>
    public long Numbers { get; private set; }

    /// <summary>Parses the JSON of a header.</summary>
    /// <param name="path">The file's name, for messages.</param>
    /// <param name="json">The header without its length.</param>
    /// <param name="dataBytes">How many bytes the file holds after the header.</param>
    public static SafetensorsHeader Parse(string path, ReadOnlySpan<byte> json, long dataBytes)
    {
        var header = new SafetensorsHeader(path);
        try
        {
            var reader = new Utf8JsonReader(json);
            header.ReadAll(ref reader);
        }
        // The reader answers a string that is not Unicode with InvalidOperationException.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new CheckpointException($"{path}: the header is not valid JSON ({e.Message}). {Damaged}", e);
        }
        header.CheckLayout(dataBytes);
        return header;
    }

    private void ReadAll(ref Utf8JsonReader reader)
    {
        Require(reader.Read() && reader.TokenType == JsonTokenType.StartObject, $"the header is JSON {reader.TokenType}, expected an object");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            Require(seen.Add(name), $"the header names '{name}' twice, expected each name once");
            reader.Read();
            if (name == "__metadata__") ReadMetadata(ref reader);
            else
            {
                _entries.Add(name, ReadEntry(ref reader, name));
                _names.Add(name);
            }
        }
        // Only spaces may follow; anything else makes Read throw.
        while (reader.Read()) { }
    }

    private void ReadMetadata(ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Null)
            return;
        Require(reader.TokenType == JsonTokenType.StartObject, $"__metadata__ is JSON {reader.TokenType}, expected an object of strings");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            Require(reader.TokenType == JsonTokenType.String, $"__metadata__ '{key}' is JSON {reader.TokenType}, expected a string");
            Require(_metadata.TryAdd(key, reader.GetString()!), $"__metadata__ names '{key}' twice, expected each name once");
        }
    }

    private SafetensorsEntry ReadEntry(ref Utf8JsonReader reader, string name)
    {
        Require(reader.TokenType == JsonTokenType.StartObject, $"tensor '{name}' is JSON {reader.TokenType}, expected an object");
        string? dtype = null;
        long[]? shape = null, offsets = null;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            switch (key)
            {
                case "dtype":
                    Require(dtype is null, $"tensor '{name}' has two dtypes");
                    Require(reader.TokenType == JsonTokenType.String, $"tensor '{name}': dtype is JSON {reader.TokenType}, expected a string");
                    dtype = reader.GetString();
                    break;
                case "shape":
                    Require(shape is null, $"tensor '{name}' has two shapes");
                    shape = ReadNumbers(ref reader, name, key);
                    break;
                case "data_offsets":
                    Require(offsets is null, $"tensor '{name}' has two data_offsets");
                    offsets = ReadNumbers(ref reader, name, key);
                    break;
                // As the reference implementation has it.
                default:
                    reader.Skip();
                    break;
            }
        }
        Require(dtype is not null && shape is not null && offsets is not null, $"tensor '{name}' lacks dtype, shape or data_offsets");
        return Check(name, dtype!, shape!, offsets!);
    }

    private long[] ReadNumbers(ref Utf8JsonReader reader, string name, string key)
    {
        Require(reader.TokenType == JsonTokenType.StartArray, $"tensor '{name}': {key} is JSON {reader.TokenType}, expected an array of whole numbers");
        var numbers = new List<long>();
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            Require(numbers.Count < MaxDimensions, $"tensor '{name}': {key} holds more than {MaxDimensions} numbers, expected at most so many");
            if (reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var number) && number >= 0) numbers.Add(number);
            else Require(false, $"tensor '{name}': {key} holds {Shown(reader.ValueSpan)}, expected a whole number from 0 to {long.MaxValue}");
        }
        return [.. numbers];
    }

    private SafetensorsEntry Check(string name, string dtype, long[] shape, long[] offsets)
    {
        if (!SafetensorsDType.TryParse(dtype, out var type, out var bytes))
            throw new CheckpointException($"{_path}: tensor '{name}' has dtype {dtype}, expected one of {SafetensorsDType.Known}. Convert the file to one of these first.");
        Require(offsets.Length == 2 && offsets[0] <= offsets[1], $"tensor '{name}' has data_offsets [{string.Join(", ", offsets)}], expected [begin, end] with begin ≤ end");
        var size = (UInt128)bytes;
        // Torch multiplies all lengths but zeros, too.
        var strides = size;
        foreach (var length in shape)
        {
            size *= (UInt128)length;
            strides *= (UInt128)Math.Max(length, 1);
            Require(strides <= (UInt128)long.MaxValue, $"tensor '{name}' of shape [{string.Join(", ", shape)}] has more bytes than any file");
        }
        Require((long)size == offsets[1] - offsets[0],
            $"tensor '{name}' has data_offsets for {offsets[1] - offsets[0]} bytes, expected {size} for {dtype} of shape [{string.Join(", ", shape)}]");
        return new SafetensorsEntry(type, shape) { Begin = offsets[0], End = offsets[1] };
    }

    /// <summary>The tensors must fill the data from its first to its last byte, without holes and without overlap.</summary>
    private void CheckLayout(long dataBytes)
    {
        var (end, last) = (0L, "the header");
        foreach (var (name, entry) in _entries.OrderBy(pair => pair.Value.Begin).ThenBy(pair => pair.Value.End))
        {
            Require(entry.Begin >= end, $"tensor '{name}' begins at byte {entry.Begin}, within '{last}', which ends at {end}");
            Require(entry.Begin == end, $"{entry.Begin - end} bytes between '{last}' and '{name}' belong to no tensor");
            (end, last) = (entry.End, name);
            Numbers += entry.Numbers;
        }
        Require(end <= dataBytes, $"the file is cut off: it holds {dataBytes} bytes of data, expected {end}");
        Bytes = end;
        Require(end == dataBytes, $"{dataBytes - end} bytes follow the last tensor, expected none");
    }

    private void Require(bool fulfilled, string found)
    {
        if (!fulfilled) throw new CheckpointException($"{_path}: {found}. {Damaged}");
    }

    private static string Shown(ReadOnlySpan<byte> json) => Encoding.UTF8.GetString(json.Length > 40 ? json[..40] : json);
}
