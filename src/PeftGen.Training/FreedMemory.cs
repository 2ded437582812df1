using System.Runtime.InteropServices;

namespace PeftGen.Training;

/// <summary>What becomes of memory that tensors on the CPU no longer use.</summary>
public static class FreedMemory
{
    private const int TrimThreshold = -1, MappingThreshold = -3;

    // The most that glibc allows. Larger blocks are given back each time: kept, they would be split by small ones, and the next would not fit.
    private const int LargestKept = 32 << 20;

    /// <summary>
    /// Lets the process keep the memory of disposed tensors of up to 32 MiB for the next ones. glibc, the C library of most Linux, gives it back to the system at once, and a step of training then waits
    /// for the same pages to be cleared again: a tenth of its time or more. Call it once, before the model is loaded.
    /// </summary>
    /// <remarks>It concerns all native memory of the process. The process holds its peak for as long as it runs.</remarks>
    /// <returns>Whether it was done; false where the C library is another one, which loses nothing.</returns>
    public static bool Keep()
    {
        if (!OperatingSystem.IsLinux())
            return false;
        try
        {
            return mallopt(TrimThreshold, int.MaxValue) != 0 && mallopt(MappingThreshold, LargestKept) != 0;
        }
        catch (EntryPointNotFoundException)
        {
            return false;
        }
        catch (DllNotFoundException)
        {
            return false;
        }
    }

    /// <summary>
    /// Frees what TorchSharp leaves to the garbage collector: the numbers that were handed to native code, small, but each lies between the blocks of tensors, so that freed blocks do not join
    /// and the next tensor takes new memory. A program whose tensors are all disposed gives the collector no reason to run by itself. Call it after a step or a request; <see cref="Trainer"/> does.
    /// </summary>
    public static void Sweep() => GC.Collect(0, GCCollectionMode.Forced, blocking: true);

    [DllImport("libc.so.6")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int mallopt(int parameter, int value);
}
