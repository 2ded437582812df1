using Basic.Reference.Assemblies;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>A user's project: sources with the methods of Sources/TestMethods.cs, on the references of a real one.</summary>
internal static class Project
{
    /// <summary>The newest C# that the lowest supported compiler knows.</summary>
    public static CSharpParseOptions ParseOptions { get; } = new(LanguageVersion.Preview, DocumentationMode.Parse);

    private static readonly MetadataReference[] _references =
    [
        .. Net100.References.All,
        MetadataReference.CreateFromFile(typeof(TorchSharp.torch).Assembly.Location),
        MetadataReference.CreateFromFile(typeof(AdaptAttribute).Assembly.Location),
    ];

    private static readonly SyntaxTree[] _common = [Embedded("GlobalUsings.cs"), Embedded("TestMethods.cs")];

    private static string UsingsWithoutMethods => _common[0].GetText().ToString().Replace("global using Methods;", "", StringComparison.Ordinal);

    /// <summary>A project of one file, Model.cs.</summary>
    public static CSharpCompilation Of(string model) => Of([("Model.cs", model)]);

    /// <summary>A project of several files, by path.</summary>
    public static CSharpCompilation Of(IEnumerable<(string path, string text)> files) => WithoutMethods(files).AddSyntaxTrees(_common);

    /// <summary>A project without the test methods and usings.</summary>
    public static CSharpCompilation WithoutMethods(IEnumerable<(string path, string text)> files) => CSharpCompilation.Create(
        "UserProject",
        files.Select(f => Parse(f.path, f.text)),
        _references,
        new CSharpCompilationOptions(
            OutputKind.DynamicallyLinkedLibrary,
            allowUnsafe: true,
            nullableContextOptions: NullableContextOptions.Enable,
            // As the SDK does: TorchSharp was built on an older System.Runtime.
            specificDiagnosticOptions: [new("CS1701", ReportDiagnostic.Suppress), new("CS1702", ReportDiagnostic.Suppress)]));

    /// <summary>A project without the test methods, in a version of C#.</summary>
    public static CSharpCompilation WithoutMethods(IEnumerable<(string path, string text)> files, string version)
    {
        Assert.True(LanguageVersionFacts.TryParse(version, out var language));
        var options = ParseOptions.WithLanguageVersion(language);
        var trees = files.Append(("GlobalUsings.cs", UsingsWithoutMethods)).Select(f => CSharpSyntaxTree.ParseText(f.Item2, options, f.Item1, System.Text.Encoding.UTF8));
        return WithoutMethods([]).AddSyntaxTrees(trees);
    }

    /// <summary>Another assembly, compiled without the generator, for a project to refer to.</summary>
    public static MetadataReference Library(string text)
    {
        using var image = new MemoryStream();
        var emitted = WithoutMethods([("Library.cs", text), ("GlobalUsings.cs", UsingsWithoutMethods)]).WithAssemblyName("Library").Emit(image);
        Assert.True(emitted.Success, string.Join("\n", emitted.Diagnostics));
        return MetadataReference.CreateFromImage(image.ToArray());
    }

    public static SyntaxTree Parse(string path, string text) => CSharpSyntaxTree.ParseText(text, ParseOptions, path, System.Text.Encoding.UTF8);

    private static SyntaxTree Embedded(string name)
    {
        using var reader = new StreamReader(typeof(Project).Assembly.GetManifestResourceStream(name)!);
        return Parse(name, reader.ReadToEnd());
    }
}
