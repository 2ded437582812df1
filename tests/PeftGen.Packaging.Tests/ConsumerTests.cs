namespace PeftGen.Packaging.Tests;

public sealed class ConsumerTests(PackedLibrary packed)
{
    [Fact]
    public async Task A_project_outside_the_repository_builds_and_runs_from_the_package()
    {
        var project = Path.Combine(packed.Root, "consumer");
        CopyConsumer(project);
        WriteSources(project);

        var printed = await DotnetCommand.RunAsync(
            project, TestContext.Current.CancellationToken,
            "run", "-p:PeftGenReport=true", $"-p:ConsumedPeftGen={BuildFacts.PeftGenVersion}", $"-p:ConsumedTorchSharp={BuildFacts.TorchSharpVersion}",
            $"-p:RestorePackagesPath={Path.Combine(packed.Root, "packages")}");

        var report = await File.ReadAllTextAsync(Path.Combine(project, "obj", "Debug", "net10.0", "PeftGen", "PeftGen.report.md"), TestContext.Current.CancellationToken);
        Assert.StartsWith("# PeftGen report", report);
        Assert.Contains("| `first` | `Model.first` | Linear | Layer | LoRA | `first` |", report);
        Assert.Contains("- `Model.forward`, Model.cs:", report);
        Assert.Contains("output 2x4", printed);
        Assert.Contains($"library {BuildFacts.PeftGenVersion}", printed);
        Assert.Contains("trains 48 of 212", printed);
        Assert.Contains("adapted differs True", printed);
        Assert.Contains("merged equals adapted True", printed);
        Assert.Contains("unmerged equals base True", printed);
    }

    /// <summary>Restoring says so, in place of the compiler, which would find no attribute.</summary>
    [Fact]
    public async Task A_project_for_a_framework_without_the_library_is_refused_when_it_is_restored()
    {
        var project = Path.Combine(packed.Root, "older");
        CopyConsumer(project);
        WriteSources(project);
        var refused = await Assert.ThrowsAsync<InvalidOperationException>(() => DotnetCommand.RunAsync(
            project, TestContext.Current.CancellationToken,
            "restore", "-p:TargetFramework=net8.0", $"-p:ConsumedPeftGen={BuildFacts.PeftGenVersion}", $"-p:ConsumedTorchSharp={BuildFacts.TorchSharpVersion}",
            $"-p:RestorePackagesPath={Path.Combine(packed.Root, "packages")}"));
        Assert.Contains("NU1202", refused.Message);
        Assert.Contains("net10.0", refused.Message);
    }

    private static void CopyConsumer(string project)
    {
        Directory.CreateDirectory(project);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "Consumer")))
        {
            File.Copy(file, Path.Combine(project, Path.GetFileName(file)));
        }
    }

    /// <summary>
    /// Adds the package's folder to the sources of whoever runs the tests. What has been restored for this repository is taken from where
    /// it is; the package itself goes to a folder of its own, so that no earlier build of the same version answers for it.
    /// </summary>
    private void WriteSources(string project)
    {
        var restored = Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } chosen
            ? chosen
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        File.WriteAllText(Path.Combine(project, "nuget.config"),
            $"""
            <configuration>
              <fallbackPackageFolders><add key="restored" value="{restored}" /></fallbackPackageFolders>
              <packageSources><add key="packed" value="{packed.Feed}" /></packageSources>
            </configuration>
            """);
    }
}
