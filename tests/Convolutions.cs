using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace PeftGen.Tests;

/// <summary>
/// Keeps convolutions right on processors where those of libtorch 2.10 are not: its oneDNN (3.7.1) packs channels that do not fill a block wrongly there (seen on AMD's
/// family 26), which gives wrong numbers and writes past the end of a buffer. Its kernels for SSE 4.1 are free of it. See docs/building.md.
/// </summary>
internal static partial class Convolutions
{
    [ModuleInitializer]
    internal static void LimitOneDnn()
    {
        // Environment.SetEnvironmentVariable does not reach native code on Linux.
        if (OperatingSystem.IsLinux())
            _ = setenv("ONEDNN_MAX_CPU_ISA", "SSE41", overwrite: 0);
    }

    [LibraryImport("libc", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int setenv(string name, string value, int overwrite);
}
