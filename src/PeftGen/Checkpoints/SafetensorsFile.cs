using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>
/// A safetensors file, opened for reading: tensors are read when they are asked for. The header is checked completely when the file is opened. Reading from several threads is safe.
/// </summary>
/// <remarks>
/// Format: https://github.com/huggingface/safetensors. The file may be replaced while it is open: this one stays what it was. One that somebody shortens in place ends in an error;
/// it is read and not mapped into memory, where that would end the process. Values are taken as they are: not-a-number and infinities, too.
/// </remarks>
public sealed class SafetensorsFile : IDisposable
{
    internal const string Expected = "a safetensors file";

    private readonly SafetensorsHeader _header;
    private readonly long _dataStart;
    private readonly SafeFileHandle _file;

    private SafetensorsFile(string path, SafetensorsHeader header, long dataStart, SafeFileHandle file) => (FilePath, _header, _dataStart, _file) = (path, header, dataStart, file);

    /// <summary>The file's path, as it was given.</summary>
    public string FilePath { get; }

    /// <summary>The tensors' names, in the order of the header.</summary>
    public IReadOnlyList<string> Names => _header.Names;

    /// <summary>The header's free text, for example <c>format</c>: <c>pt</c>.</summary>
    public IReadOnlyDictionary<string, string> Metadata => _header.Metadata;

    /// <summary>Opens a file and checks its header.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="CheckpointException">There is no such file, or it is not a whole and well-formed safetensors file.</exception>
    public static SafetensorsFile Open(string path) => Open(CheckpointFile.Open(path, Expected), path);

    /// <summary>Takes over a file that is open.</summary>
    internal static SafetensorsFile Open(SafeFileHandle file, string path)
    {
        try
        {
            var header = ReadHeader(path, file, out var dataStart);
            return new SafetensorsFile(path, header, dataStart, file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>How many numbers the file holds.</summary>
    internal long Numbers => _header.Numbers;

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
        try
        {
            Fill(tensor, entry);
        }
        catch
        {
            tensor.Dispose();
            throw;
        }
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
    public void Dispose() => _file.Dispose();

    /// <summary>Makes sure, as far as can be known, that everything can be read before the first tensor changes.</summary>
    internal void RequireWhole()
    {
        ObjectDisposedException.ThrowIf(_file.IsClosed, this);
        if (RandomAccess.GetLength(_file) is var length && length < _dataStart + _header.Bytes)
            throw new CheckpointException($"{FilePath}: the file has {length} bytes, expected {_dataStart + _header.Bytes} as when it was opened. Write files beside their place and rename them.");
    }

    private void Fill(Tensor tensor, SafetensorsEntry entry)
    {
        ObjectDisposedException.ThrowIf(_file.IsClosed, this);
        TensorMemory.ForEachChunk(tensor, (memory, offset) => CheckpointFile.ReadExactly(_file, FilePath, memory, _dataStart + entry.Begin + offset));
    }

    private static SafetensorsHeader ReadHeader(string path, SafeFileHandle file, out long dataStart)
    {
        Span<byte> prefix = stackalloc byte[8];
        var bytes = RandomAccess.GetLength(file);
        if (bytes < prefix.Length)
            throw new CheckpointException($"{path}: the file has {bytes} bytes, expected at least the 8 of a safetensors header's length. The file is damaged or incomplete: fetch or write it again.");
        CheckpointFile.ReadExactly(file, path, prefix, 0);
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        var rest = bytes - prefix.Length;
        if (length > SafetensorsHeader.MaxBytes)
            throw new CheckpointException($"{path}: the header claims {length} bytes, expected at most {SafetensorsHeader.MaxBytes}. This is no safetensors file, or it is damaged: fetch or write it again.");
        if (length > (ulong)rest)
            throw new CheckpointException($"{path}: the header claims {length} bytes, but only {rest} follow. The file is cut off: fetch or write it again.");
        var json = new byte[length];
        CheckpointFile.ReadExactly(file, path, json, prefix.Length);
        dataStart = prefix.Length + json.Length;
        return SafetensorsHeader.Parse(path, json, bytes - dataStart);
    }
}
