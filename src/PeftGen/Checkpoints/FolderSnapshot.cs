using System.Diagnostics;
using System.Text.Json.Nodes;
using Microsoft.Win32.SafeHandles;

namespace PeftGen.Checkpoints;

/// <summary>
/// Files of a folder as they were at one instant, although somebody else may be saving there: what was opened is taken only if all of it was still in place when the last file was open; else it is
/// read again.
/// </summary>
internal sealed class FolderSnapshot
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20), Pause = TimeSpan.FromMilliseconds(1);

    private const int MostMissed = 5;

    private readonly Dictionary<string, (DateTime written, long bytes)?> _seen = new(StringComparer.Ordinal);

    private FolderSnapshot() { }

    /// <summary>Reads until all that was read belongs together.</summary>
    /// <param name="folder">The folder, for messages.</param>
    /// <param name="read">Opens files through the snapshot. It may be called several times; what it returned in vain is disposed.</param>
    /// <exception cref="CheckpointException">A file is missing or damaged, or the folder does not come to rest.</exception>
    public static T Take<T>(string folder, Func<FolderSnapshot, T> read)
    {
        var clock = Stopwatch.StartNew();
        for (var missed = 0; ;)
        {
            var files = new FolderSnapshot();
            try
            {
                var result = read(files);
                if (files.AreInPlace())
                    return result;
                (result as IDisposable)?.Dispose();
            }
            // What does not fit together while somebody saves is no fault of the files.
            catch (Exception e) when (e is CheckpointException or AdapterException && !files.AreInPlace())
            {
            }
            // A name that leads by way of a link can lead nowhere for a moment, when the link becomes a file again.
            catch (CheckpointException) when (files._seen.ContainsValue(null) && ++missed < MostMissed)
            {
            }

            if (clock.Elapsed > Patience)
                throw new CheckpointException($"{folder}: its files were replaced again and again for {Patience.TotalSeconds:0} seconds, expected them to rest. Load when nobody saves there.");
            Thread.Sleep(Pause);
        }
    }

    /// <summary>Reads a JSON file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="purpose">What it should be, for messages.</param>
    public JsonObject Json(string path, string purpose)
    {
        using var file = Open(path, purpose);
        return JsonFile.ReadObject(file, path, purpose);
    }

    /// <summary>Opens a safetensors file.</summary>
    /// <param name="path">The file.</param>
    public SafetensorsFile Weights(string path)
    {
        var file = Open(path, SafetensorsFile.Expected);
        return SafetensorsFile.Open(file, path);
    }

    /// <summary>Whether there is a file.</summary>
    /// <param name="path">The file.</param>
    public bool Has(string path)
    {
        var exists = CheckpointFile.Exists(path);
        _seen.TryAdd(path, exists ? StateOf(path) : null);
        return exists;
    }

    private SafeFileHandle Open(string path, string expected)
    {
        _seen.TryAdd(path, null);
        var file = CheckpointFile.Open(path, expected);
        var state = StateOf(file);
        // Seen before in another state: the comparison at the end fails with either.
        _seen[path] = _seen[path] ?? state;
        return file;
    }

    private bool AreInPlace() => _seen.All(seen => seen.Value == StateOf(seen.Key));

    private static (DateTime written, long bytes)? StateOf(string path)
    {
        try
        {
            using var file = CheckpointFile.Open(path, "");
            return StateOf(file);
        }
        catch (CheckpointException)
        {
            // Not there, or not to be read: a state like others.
            return null;
        }
    }

    private static (DateTime written, long bytes) StateOf(SafeFileHandle file) => (File.GetLastWriteTimeUtc(file), RandomAccess.GetLength(file));
}
