using System.Diagnostics;

namespace PeftGen.Checkpoints;

/// <summary>
/// The right to save in a folder: one writer has it at a time, in this process or another. The system gives it back when its holder dies.
/// Readers neither need nor notice it.
/// </summary>
internal sealed class FolderLock : IDisposable
{
    private const string FileName = ".peftgen-save.lock";

    // "Would block" on Linux and macOS, a sharing violation on Windows.
    private const int LinuxIsHeld = 11, AppleIsHeld = 35, WindowsIsHeld = unchecked((int)0x80070020);

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60), Pause = TimeSpan.FromMilliseconds(2);

    private readonly string _path;
    private readonly FileStream _file;

    private FolderLock(string path, FileStream file) => (_path, _file) = (path, file);

    /// <summary>Waits for the right.</summary>
    /// <param name="folder">The folder, which exists.</param>
    /// <exception cref="CheckpointException">Somebody else has held it for a minute.</exception>
    public static FolderLock Take(string folder)
    {
        var path = Path.Combine(folder, FileName);
        var clock = Stopwatch.StartNew();
        while (true)
        {
            if (TryTake(path) is { } taken)
                return taken;
            if (clock.Elapsed > Patience)
                throw new CheckpointException(
                    $"{folder}: somebody else has been saving there for {Patience.TotalSeconds:0} seconds, expected to get a turn. Save elsewhere, or end the other program.");
            Thread.Sleep(Pause);
        }
    }

    /// <summary>Gives the right back, and leaves nothing in the folder.</summary>
    public void Dispose()
    {
        if (_file.SafeFileHandle.IsClosed)
            return;
        // While it is still held: nobody can have begun to hold this file.
        try
        {
            File.Delete(_path);
        }
        finally
        {
            _file.Dispose();
        }
    }

    private static FolderLock? TryTake(string path)
    {
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 1);
        }
        catch (IOException e) when (e.HResult is LinuxIsHeld or AppleIsHeld or WindowsIsHeld)
        {
            return null;
        }

        // The holder before may have removed the file after it was opened here and before it was locked. A time that nobody else would set tells.
        File.SetLastWriteTimeUtc(file.SafeFileHandle, DateTime.UtcNow.AddTicks(-Random.Shared.Next(1 << 30)));
        if (File.GetLastWriteTimeUtc(path) == File.GetLastWriteTimeUtc(file.SafeFileHandle))
            return new FolderLock(path, file);
        file.Dispose();
        return null;
    }
}
