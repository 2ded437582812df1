using System.Diagnostics;
using System.Runtime.InteropServices;

namespace PeftGen.Packaging.Tests;

/// <summary>What a sample prints, trimmed and as native code, is what it prints as it is. Slow: it restores a compiler and links.</summary>
public sealed class PublishTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("published");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("trimmed", "--self-contained")]
    [InlineData("native")]
    public async Task A_published_sample_prints_the_same_numbers(string form, params string[] more)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("PEFTGEN_PUBLISH") == "1", "PEFTGEN_PUBLISH is not 1: publishing takes minutes.");
        var cancel = TestContext.Current.CancellationToken;
        var expected = await DotnetCommand.RunAsync(BuildFacts.RepoRoot, cancel, "run", "--project", "samples/Published");
        Assert.Contains("adapted", expected);

        // A native program is linked by clang, or by gcc where there is no other.
        string[] linker = form == "native" && OperatingSystem.IsLinux() && !OnPath("clang") ? ["-p:CppCompilerAndLinker=gcc"] : [];
        await DotnetCommand.RunAsync(
            BuildFacts.RepoRoot, cancel, ["publish", "samples/Published", "-r", Runtime(), $"-p:PublishedAs={form}", "-o", _folder.FullName, .. linker, .. more]);
        using var program = Process.Start(new ProcessStartInfo(Path.Combine(_folder.FullName, OperatingSystem.IsWindows() ? "Published.exe" : "Published")) { RedirectStandardOutput = true })!;
        var printed = await program.StandardOutput.ReadToEndAsync(cancel);
        await program.WaitForExitAsync(cancel);
        Assert.Equal(0, program.ExitCode);
        Assert.Equal(expected.ReplaceLineEndings(), printed.ReplaceLineEndings());
    }

    // Not that of one distribution, for which there is no package.
    private static string Runtime() =>
        $"{(OperatingSystem.IsWindows() ? "win" : OperatingSystem.IsMacOS() ? "osx" : "linux")}-{RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}";

    private static bool OnPath(string command) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(folder => File.Exists(Path.Combine(folder, command)));
}
