using System.Text;

namespace PeftGen.Checkpoints;

/// <summary>Files that are there as a whole or not at all: written beside their place, then renamed.</summary>
public static class AtomicFile
{
    /// <summary>Writes a file. If <paramref name="write"/> throws, nothing is left behind and a file that was there stays as it was.</summary>
    /// <param name="path">The file; its folder is created where it is missing.</param>
    /// <param name="write">Writes the content.</param>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        var (folder, file) = CheckpointFile.Split(path);
        using var staged = new StagedFiles(folder);
        staged.Add(file, write);
        staged.Commit();
    }

    /// <summary>Writes a text file in UTF-8 without a byte order mark.</summary>
    /// <param name="path">The file; its folder is created where it is missing.</param>
    /// <param name="text">The content.</param>
    /// <exception cref="CheckpointException">The file cannot be written.</exception>
    public static void WriteText(string path, string text) => Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(text)));
}
