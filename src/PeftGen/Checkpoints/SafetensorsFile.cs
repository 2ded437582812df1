using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>
/// A safetensors file, opened for reading and mapped into memory: tensors are read when they are asked for. The header is
/// checked completely when the file is opened. Reading from several threads is safe.
/// </summary>
/// <remarks>Format: https://github.com/huggingface/safetensors. While the file is open it must not be shortened; replacing it by renaming is fine on Unix.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    private readonly SafetensorsHeader _header;
    private readonly long _dataStart;
    private readonly MemoryMappedFile _mapping;
    private readonly MemoryMappedViewAccessor _view;

    private SafetensorsFile(string path, SafetensorsHeader header, long dataStart, MemoryMappedFile mapping)
    {
        (FilePath, _header, _dataStart, _mapping) = (path, header, dataStart, mapping);
        _view = mapping.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
    }

    /// <summary>The file's path, as it was given.</summary>
    public string FilePath { get; }

    /// <summary>The tensors' names, in the order of the header.</summary>
    public IReadOnlyList<string> Names => _header.Names;

    /// <summary>The header's free text, for example <c>format</c>: <c>pt</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">There is no such file, or it is not a whole and well-formed safetensors file.</exception>
    public static SafetensorsFile Open(string path)
    {
        if (!File.Exists(path)) throw new CheckpointException($"{path}: there is no such file. Check the path.");
        FileStream? stream = null;
        try
        {
            stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read | FileShare.Delete);
            var header = ReadHeader(path, stream, out var dataStart);
            var mapping = MemoryMappedFile.CreateFromFile(stream, null, 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
            stream = null;
            return new SafetensorsFile(path, header, dataStart, mapping);
        }
        finally
        {
            stream?.Dispose();
        }
    }

    /// <summary>Whether the file has a tensor of this name.</summary>
    /// <param name="name">The name.</param>
    public bool Contains(string name) => _header.Entries.ContainsKey(name);

    /// <summary>The element type and shape of a tensor.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <exception cref="CheckpointException">The file has no tensor of this name.</exception>
    public SafetensorsEntry Entry(string name) =>
        _header.Entries.TryGetValue(name, out var entry) ? entry
        : throw new CheckpointException($"{FilePath}: there is no tensor '{name}'. The file has {NameList.Of(Names)}.");

    /// <summary>Reads a tensor.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <returns>A new tensor on the CPU, of the file's element type and shape. The caller owns it: it belongs to no DisposeScope.</returns>
    /// <exception cref="CheckpointException">The file has no tensor of this name.</exception>
    public Tensor Read(string name)
    {
        var entry = Entry(name);
        var tensor = torch.empty(entry.Shape, entry.DType, torch.CPU).DetachFromDisposeScope();
        Fill(tensor, entry);
        return tensor;
    }

    /// <summary>Reads a tensor into one that exists, converting to its element type and moving to its device.</summary>
    /// <param name="name">The tensor's name.</param>
    /// <param name="target">Where to: its shape must be the file's exactly. A parameter may be given; autograd does not see the change.</param>
    /// <exception cref="CheckpointException">The file has no tensor of this name, or it is of another shape.</exception>
    public void ReadInto(string name, Tensor target)
    {
        var entry = Entry(name);
        // Checked here since copy_ would broadcast a smaller tensor without a word.
        if (!target.shape.AsSpan().SequenceEqual(entry.Shape))
            throw new CheckpointException($"{FilePath}: tensor '{name}' has shape [{string.Join(", ", entry.Shape)}], expected [{string.Join(", ", target.shape)}]. Load it into a model of the same configuration.");
        if (target.device_type == DeviceType.CPU && target.dtype == entry.DType && target.is_contiguous())
        {
            Fill(target, entry);
            return;
        }
        using var whole = Read(name);
        using (torch.no_grad()) target.copy_(whole);
    }

    /// <summary>Closes the file. Tensors that were read stay valid.</summary>
    public void Dispose()
    {
        _view.Dispose();
        _mapping.Dispose();
    }

    private void Fill(Tensor tensor, SafetensorsEntry entry)
    {
        ObjectDisposedException.ThrowIf(_view.SafeMemoryMappedViewHandle.IsClosed, this);
        TensorMemory.ForEachChunk(tensor, (memory, offset) =>
            _view.SafeMemoryMappedViewHandle.ReadSpan((ulong)(_dataStart + entry.Begin + offset), memory));
    }

    private static SafetensorsHeader ReadHeader(string path, FileStream stream, out long dataStart)
    {
        Span<byte> prefix = stackalloc byte[8];
        if (stream.Length < prefix.Length)
            throw new CheckpointException($"{path}: the file has {stream.Length} bytes, expected at least the 8 of a safetensors header's length. The file is damaged or incomplete: fetch or write it again.");
        stream.ReadExactly(prefix);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        var rest = stream.Length - prefix.Length;
        if (length > SafetensorsHeader.MaxBytes)
            throw new CheckpointException($"{path}: the header claims {length} bytes, expected at most {SafetensorsHeader.MaxBytes}. This is no safetensors file, or it is damaged: fetch or write it again.");
        if (length > (ulong)rest)
            throw new CheckpointException($"{path}: the header claims {length} bytes, but only {rest} follow. The file is cut off: fetch or write it again.");
        var json = new byte[length];
        stream.ReadExactly(json);
        dataStart = prefix.Length + json.Length;
        return SafetensorsHeader.Parse(path, json, stream.Length - dataStart);
    }
}
