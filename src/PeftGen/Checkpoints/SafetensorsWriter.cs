using System.Buffers.Binary;
using System.Text.Encodings.Web;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>Writes safetensors files, byte for byte as the reference implementation lays them out: same tensors, same file.</summary>
public static class SafetensorsWriter
{
    private const int Alignment = 8;

    /// <summary>What PyTorch's readers look for.</summary>
    private static readonly IReadOnlyDictionary<string, string> DefaultMetadata = new Dictionary<string, string> { ["format"] = "pt" };

    /// <summary>
    /// Writes a file beside its place and renames it when it is complete; on failure nothing is left and a former file stays.
    /// Tensors may be on any device and in any memory layout; at most one at a time is copied to the CPU.
    /// </summary>
    /// <param name="path">The file; its folder is created where it is missing.</param>
    /// <param name="tensors">Names and values, in any order.</param>
    /// <param name="metadata">The header's free text; <c>format</c>: <c>pt</c> where not given.</param>
    /// <exception cref="CheckpointException">A name occurs twice or is reserved, or the format has no such element type.</exception>
    public static void Write(string path, IEnumerable<(string name, Tensor tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var sorted = Sort(path, tensors);
        AtomicFile.Write(path, stream => Write(stream, sorted, metadata));
    }

    /// <summary>Writes several files of one folder together: adds this one to those that <paramref name="files"/> will move into place.</summary>
    /// <inheritdoc cref="Write(string, IEnumerable{ValueTuple{string, Tensor}}, IReadOnlyDictionary{string, string})"/>
    /// <param name="files">Files that become visible together.</param>
    /// <param name="file">The file's path in their folder.</param>
    /// <param name="tensors"/><param name="metadata"/>
    public static void Stage(StagedFiles files, string file, IEnumerable<(string name, Tensor tensor)> tensors, IReadOnlyDictionary<string, string>? metadata = null)
    {
        var sorted = Sort(file, tensors);
        files.Add(file, stream => Write(stream, sorted, metadata));
    }

    private static List<(string name, Tensor tensor)> Sort(string path, IEnumerable<(string name, Tensor tensor)> tensors)
    {
        var sorted = new List<(string name, Tensor tensor)>();
        var names = new HashSet<string>(StringComparer.Ordinal) { "__metadata__" };
        foreach (var (name, tensor) in tensors)
        {
            if (!names.Add(name))
                throw new CheckpointException($"{path}: the name '{name}' was given twice or is reserved, expected each tensor under a name of its own.");
            if (SafetensorsDType.Rank(tensor.dtype) < 0)
                throw new CheckpointException($"{path}: tensor '{name}' has element type {tensor.dtype}, expected one of {SafetensorsDType.Known}. Convert it before saving.");
            sorted.Add((name, tensor));
        }
        sorted.Sort((a, b) =>
        {
            var byType = SafetensorsDType.Rank(a.tensor.dtype).CompareTo(SafetensorsDType.Rank(b.tensor.dtype));
            return byType != 0 ? byType : string.CompareOrdinal(a.name, b.name);
        });
        return sorted;
    }

    private static void Write(Stream stream, List<(string name, Tensor tensor)> tensors, IReadOnlyDictionary<string, string>? metadata)
    {
        var header = Header(tensors, metadata ?? DefaultMetadata);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        stream.Write(length);
        stream.Write(header);
        using var noGrad = torch.no_grad();
        foreach (var (_, tensor) in tensors)
        {
            using var cpu = tensor.cpu();
            using var dense = cpu.contiguous();
            TensorMemory.ForEachChunk(dense, (memory, _) => stream.Write(memory));
        }
    }

    private static byte[] Header(List<(string name, Tensor tensor)> tensors, IReadOnlyDictionary<string, string> metadata)
    {
        using var buffer = new MemoryStream();
        // Names are written as they are: the file is no HTML page.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            if (metadata.Count > 0)
            {
                json.WriteStartObject("__metadata__");
                foreach (var (key, value) in metadata.OrderBy(pair => pair.Key, StringComparer.Ordinal)) json.WriteString(key, value);
                json.WriteEndObject();
            }
            var begin = 0L;
            foreach (var (name, tensor) in tensors)
            {
                var end = begin + tensor.numel() * tensor.element_size();
                json.WriteStartObject(name);
                json.WriteString("dtype", SafetensorsDType.Name(tensor.dtype));
                WriteNumbers(json, "shape", tensor.shape);
                WriteNumbers(json, "data_offsets", begin, end);
                json.WriteEndObject();
                begin = end;
            }
            json.WriteEndObject();
        }
        // Spaces, so that the data begins at a multiple of eight and can be used where it is mapped.
        while (buffer.Length % Alignment != 0) buffer.WriteByte((byte)' ');
        return buffer.ToArray();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, params ReadOnlySpan<long> numbers)
    {
        json.WriteStartArray(name);
        foreach (var number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}
