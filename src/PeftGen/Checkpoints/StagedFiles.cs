namespace PeftGen.Checkpoints;

/// <summary>
/// Several files that belong together. Each is written beside its place; only when all are complete does <see cref="Commit"/>
/// rename them. Disposing without that removes what was written.
/// </summary>
public sealed class StagedFiles : IDisposable
{
    private readonly List<(string Partial, string Final)> _files = [];

    /// <summary>Writes one file beside its place and flushes it to the disk.</summary>
    /// <param name="path">Where the file will be; its folder is created where it is missing.</param>
    /// <param name="write">Writes the content.</param>
    public void Add(string path, Action<Stream> write)
    {
        path = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        // A name of its own, so that two writers of the same file do not meet in a half-written one.
        var partial = $"{path}.{Guid.NewGuid():N}.partial";
        _files.Add((partial, path));
        using var stream = new FileStream(partial, FileMode.CreateNew, FileAccess.Write, FileShare.None);
        write(stream);
        stream.Flush(flushToDisk: true);
    }

    /// <summary>Moves all files to their places, in the order in which they were added, replacing what was there.</summary>
    public void Commit()
    {
        while (_files.Count > 0)
        {
            File.Move(_files[0].Partial, _files[0].Final, overwrite: true);
            _files.RemoveAt(0);
        }
    }

    /// <summary>Removes the files that were not committed.</summary>
    public void Dispose()
    {
        foreach (var (partial, _) in _files) File.Delete(partial);
        _files.Clear();
    }
}
