using System.Runtime.InteropServices;

namespace PeftGen.Checkpoints;

/// <summary>What Unix has and .NET does not: to rename links as links, and a second name for a file.</summary>
internal static class Posix
{
    /// <summary>Renames a file or a link, replacing what was there, in one step.</summary>
    public static void Rename(string from, string to)
    {
        if (rename(from, to) != 0)
            throw new IOException($"'{from}' cannot be renamed to '{to}': {Marshal.GetLastPInvokeErrorMessage()}", Marshal.GetLastPInvokeError());
    }

    /// <summary>Gives a file a second name.</summary>
    /// <returns>False where the system refuses; file systems without such names do.</returns>
    public static bool TryLink(string file, string name) => link(file, name) == 0;

    [DllImport("libc", SetLastError = true)]
    private static extern int rename([MarshalAs(UnmanagedType.LPUTF8Str)] string from, [MarshalAs(UnmanagedType.LPUTF8Str)] string to);

    [DllImport("libc", SetLastError = true)]
    private static extern int link([MarshalAs(UnmanagedType.LPUTF8Str)] string from, [MarshalAs(UnmanagedType.LPUTF8Str)] string to);
}
