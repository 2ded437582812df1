using Microsoft.Win32.SafeHandles;

namespace PeftGen.Checkpoints;

/// <summary>Access to files that may be anything: what the system answers becomes an error that names the file.</summary>
internal static class CheckpointFile
{
    /// <summary>Opens a file for reading. Pipes and devices are refused without being opened, for that may never end.</summary>
    /// <param name="path">The file.</param>
    /// <param name="expected">What it should be, for messages: <c>a safetensors file</c>.</param>
    /// <exception cref="CheckpointException">There is no such file, or it cannot be read.</exception>
    public static SafeFileHandle Open(string path, string expected)
    {
        const int Attempts = 4;
        for (var attempt = 1; ; attempt++)
        {
            var isLink = IsLink(path);
            try
            {
                return OpenNow(path, expected);
            }
            // While somebody saves, a link becomes a file again, and what it led to goes.
            catch (CheckpointException) when (isLink && attempt < Attempts)
            {
                Thread.Sleep(1);
            }
        }
    }

    private static SafeFileHandle OpenNow(string path, string expected)
    {
        try
        {
            if (Directory.Exists(path))
                throw new CheckpointException($"{path}: found a folder, expected {expected}. Check the path.");
            if (FileAt(path) is not { } file)
                throw new CheckpointException($"{path}: there is no such file, expected {expected}. Check the path.");
            if (file.Length == 0)
                throw new CheckpointException($"{path}: the file has 0 bytes, as pipes and devices have, expected {expected}. Fetch or write the file again.");
            // It may be replaced while it is open: what was opened stays.
            return File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        // A path with a null character in it is an argument error to the system.
        catch (Exception e) when (IsOfSystem(e) || e is ArgumentException)
        {
            throw new CheckpointException($"{path}: the file cannot be read ({e.Message}), expected {expected}. Check the path and who may read it.", e);
        }
    }

    /// <summary>Whether there is a file; a link to nowhere is none.</summary>
    public static bool Exists(string path)
    {
        try
        {
            return FileAt(path) is not null;
        }
        catch (Exception e) when (IsOfSystem(e))
        {
            // What is there cannot be reached: to open it says why.
            return true;
        }
    }

    /// <summary>Reads bytes of a file that is open.</summary>
    /// <param name="file">The file.</param>
    /// <param name="path">Its path, for messages.</param>
    /// <param name="bytes">Is filled.</param>
    /// <param name="offset">Where to begin.</param>
    /// <exception cref="CheckpointException">The file ends before, or cannot be read.</exception>
    public static void ReadExactly(SafeFileHandle file, string path, Span<byte> bytes, long offset)
    {
        try
        {
            for (var read = 0; read < bytes.Length;)
                read += RandomAccess.Read(file, bytes[read..], offset + read) is var count and > 0 ? count : throw new CheckpointException(
                    $"{path}: the file ends at byte {offset + read}, expected {bytes.Length - read} bytes more: it was cut off while it was read. Write files beside their place and rename them.");
        }
        catch (Exception e) when (IsOfSystem(e))
        {
            throw new CheckpointException($"{path}: the file cannot be read any further ({e.Message}), expected {bytes.Length} bytes from byte {offset}.", e);
        }
    }

    /// <summary>Does what writes, with the path in what the system answers.</summary>
    /// <param name="path">What is written.</param>
    /// <param name="write">Writes it.</param>
    /// <exception cref="CheckpointException">It cannot be written.</exception>
    public static T Writing<T>(string path, Func<T> write)
    {
        try
        {
            return write();
        }
        catch (Exception e) when (IsOfSystem(e))
        {
            throw new CheckpointException(
                $"{path}: cannot be written ({e.Message}), expected a place that this program may write to. What was there has not changed. Check the path, its permissions and the room on the disk, or save elsewhere.", e);
        }
    }

    /// <inheritdoc cref="Writing{T}"/>
    public static void Writing(string path, Action write) => Writing(path, () =>
    {
        write();
        return true;
    });

    /// <summary>A file's folder and its name in there.</summary>
    public static (string folder, string file) Split(string path)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Contains('\0') || Path.GetFileName(path) is "" or "." or "..")
            throw new CheckpointException($"\"{path}\" names no file, expected a path that ends in a file's name.");
        var full = Path.GetFullPath(path);
        return (Path.GetDirectoryName(full)!, Path.GetFileName(full));
    }

    private static bool IsLink(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget is not null;
        }
        catch (Exception e) when (IsOfSystem(e) || e is ArgumentException)
        {
            // To open it says what is the matter.
            return false;
        }
    }

    private static FileInfo? FileAt(string path)
    {
        var file = new FileInfo(path);
        var target = file.LinkTarget is null ? file : file.ResolveLinkTarget(returnFinalTarget: true) as FileInfo;
        return target is { Exists: true } ? target : null;
    }

    private static bool IsOfSystem(Exception e) => e is IOException or UnauthorizedAccessException;
}
