using System.IO.Compression;
using System.Xml.Linq;

namespace PeftGen.Packaging.Tests;

public sealed class PackageContentTests(PackedLibrary packed)
{
    [Fact]
    public void Holds_the_library_its_generator_its_code_fixes_and_the_build_targets_and_nothing_else()
    {
        using var package = ZipFile.OpenRead(packed.File);

        var shipped = package.Entries.Select(entry => entry.FullName)
            .Where(name => !name.StartsWith("_rels/", StringComparison.Ordinal) && !name.StartsWith("package/", StringComparison.Ordinal))
            .Where(name => name is not "[Content_Types].xml")
            .Order(StringComparer.Ordinal);

        Assert.Equal(
            [
                "PeftGen.nuspec",
                "README.md",
                "analyzers/dotnet/cs/PeftGen.CodeFixes.dll",
                "analyzers/dotnet/cs/PeftGen.Generators.dll",
                "buildTransitive/net10.0/Editing.targets",
                "buildTransitive/net10.0/OldLibstdcxx.targets",
                "buildTransitive/net10.0/PeftGen.targets",
                "buildTransitive/net10.0/RelaxLibstdcxxVersion.cs",
                "buildTransitive/net10.0/Report.targets",
                "buildTransitive/net10.0/Trimming.targets",
                "lib/net10.0/PeftGen.dll",
                "lib/net10.0/PeftGen.xml",
            ],
            shipped);
    }

    [Fact]
    public void Depends_on_the_managed_TorchSharp_alone()
    {
        using var package = ZipFile.OpenRead(packed.File);
        using var description = package.GetEntry("PeftGen.nuspec")!.Open();

        var dependencies = XDocument.Load(description).Descendants()
            .Where(element => element.Name.LocalName == "dependency")
            .Select(element => $"{element.Attribute("id")!.Value} {element.Attribute("version")!.Value}");

        Assert.Equal([$"TorchSharp {BuildFacts.TorchSharpVersion}"], dependencies);
    }
}
