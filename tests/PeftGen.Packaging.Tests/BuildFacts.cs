using System.Reflection;

namespace PeftGen.Packaging.Tests;

/// <summary>What the project file wrote into this assembly while it was being built.</summary>
internal static class BuildFacts
{
    public static string RepoRoot { get; } = Read("RepoRoot");

    public static string Configuration { get; } = Read("Configuration");

    public static string PeftGenVersion { get; } = Read("PeftGenVersion");

    public static string TorchSharpVersion { get; } = Read("TorchSharpVersion");

    /// <summary>The native library for Linux as TorchSharp ships it.</summary>
    public static string TorchLibrary { get; } = Read("TorchLibrary");

    private static string Read(string key) =>
        typeof(BuildFacts).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(fact => fact.Key == key).Value
        ?? throw new InvalidOperationException($"The assembly metadata '{key}' has no value; it is set in PeftGen.Packaging.Tests.csproj.");
}
