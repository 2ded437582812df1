using PeftGen.Packaging.Tests;

[assembly: AssemblyFixture(typeof(PackedLibrary))]

namespace PeftGen.Packaging.Tests;

/// <summary>The package, made once from what has just been built, in a folder that goes away with the tests.</summary>
public sealed class PackedLibrary : IAsyncLifetime
{
    /// <summary>A folder that is a NuGet source holding the package alone.</summary>
    public string Feed => Path.Combine(Root, "feed");

    /// <summary>The package.</summary>
    public string File => Path.Combine(Feed, $"PeftGen.{BuildFacts.PeftGenVersion}.nupkg");

    /// <summary>A folder outside the repository, whose props would otherwise reach what stands in it.</summary>
    public string Root { get; } = Directory.CreateTempSubdirectory("peftgen-packaging-").FullName;

    public async ValueTask InitializeAsync() =>
        await DotnetCommand.RunAsync(
            BuildFacts.RepoRoot, TestContext.Current.CancellationToken,
            "pack", "src/PeftGen/PeftGen.csproj", "--no-build", "--nologo", "-c", BuildFacts.Configuration, "-o", Feed);

    public ValueTask DisposeAsync()
    {
        Directory.Delete(Root, recursive: true);
        return ValueTask.CompletedTask;
    }
}
