using PeftGen.Tests.Saving;

namespace PeftGen.Tests;

/// <summary>The tests' own program: the runner's, and a writer that a test starts in order to kill it.</summary>
public static class EntryPoint
{
    public static int Main(string[] args)
    {
        if (args is [SaveLoop.Command, var folder, var what])
            return SaveLoop.Run(folder, what);
        return args.Any(arg => arg is "--server" or "--internal-msbuild-node")
            ? Xunit.MicrosoftTestingPlatform.TestPlatformTestFramework.RunAsync(args, SelfRegisteredExtensions.AddSelfRegisteredExtensions).GetAwaiter().GetResult()
            : Xunit.Runner.InProc.SystemConsole.ConsoleRunner.Run(args).GetAwaiter().GetResult();
    }
}
