namespace PeftGen.Checkpoints;

/// <summary>
/// Several files of one folder that belong together. Each is written beside its place; when all are complete, <see cref="Commit"/> replaces all of them in one step: whoever reads by name, and whoever
/// comes after this process was killed, finds the old files or the new ones. Disposing without that removes what was written. One writer has a folder at a time; others wait.
/// </summary>
/// <remarks>What a killed save has left (<c>.peftgen-save</c>) goes with the next one. Where there are no symbolic links, as on Windows, the files are renamed one after another.</remarks>
public sealed class StagedFiles : IDisposable
{
    private readonly string _folder;
    private readonly bool _isNewFolder;
    private readonly FolderLock _lock;
    private readonly Replacement _replacement;
    private readonly List<string> _files = [];
    private readonly List<string> _obsolete = [];

    /// <summary>Begins to save; waits while another writer saves there.</summary>
    /// <param name="folder">The folder in which all files lie; it is created where it is missing.</param>
    /// <exception cref="CheckpointException">The folder cannot be written to, or another writer does not end.</exception>
    public StagedFiles(string folder)
    {
        if (string.IsNullOrWhiteSpace(folder) || folder.Contains('\0'))
            throw new CheckpointException($"\"{folder}\" is no folder to save in, expected a path, such as \"out\", or \".\" for the current folder.");
        _folder = Path.GetFullPath(folder);
        _isNewFolder = !Directory.Exists(_folder);
        _replacement = new Replacement(_folder);
        _lock = CheckpointFile.Writing(_folder, () =>
        {
            Directory.CreateDirectory(_folder);
            return FolderLock.Take(_folder);
        });
        try
        {
            CheckpointFile.Writing(_folder, Settle);
        }
        catch
        {
            _lock.Dispose();
            throw;
        }
    }

    /// <summary>Writes one file beside its place and flushes it to the disk.</summary>
    /// <param name="file">Where the file will be in the folder, for example <c>adapter_config.json</c>.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public void Add(string file, Action<Stream> write)
    {
        file = file.Replace('\\', '/');
        if (Path.IsPathRooted(file) || file.Split('/').Any(part => part is "" or "." or ".."))
            throw new CheckpointException($"'{file}' is no file within {_folder}, expected its path there.");
        CheckpointFile.Writing(Path.Combine(_folder, file), () =>
        {
            using var stream = new FileStream(_replacement.Draft(file), FileMode.CreateNew, FileAccess.Write, FileShare.None);
            write(stream);
            stream.Flush(flushToDisk: true);
            // Readers tell the states of a file apart by this time, and the system's own clock is a coarse one.
            File.SetLastWriteTimeUtc(stream.SafeFileHandle, DateTime.UtcNow);
        });
        _files.Add(file);
    }

    /// <summary>Says that a file is to be there no more, should there be one.</summary>
    /// <param name="file">Its path in the folder.</param>
    public void Remove(string file) => _obsolete.Add(file);

    /// <summary>Puts all files in their places, replacing what was there.</summary>
    /// <exception cref="CheckpointException">A place cannot be taken; nothing has changed.</exception>
    public void Commit()
    {
        CheckpointFile.Writing(_folder, () => _replacement.Commit(_files, _obsolete));
        _files.Clear();
        _obsolete.Clear();
    }

    /// <summary>Removes the files that were not committed.</summary>
    public void Dispose()
    {
        try
        {
            Settle();
            _lock.Dispose();
            if (_isNewFolder && !Directory.EnumerateFileSystemEntries(_folder).Any())
                Directory.Delete(_folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The folder is whole as it is, and what is left goes with the next save. The error that has led here is the one to hear of.
        }
        finally
        {
            _lock.Dispose();
        }
    }

    private void Settle()
    {
        if (_replacement.IsUnderWay)
            _replacement.Settle();
    }
}
