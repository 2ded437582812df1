using System.Reflection;
using System.Runtime.Loader;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using PeftGen.Generators;

namespace PeftGen.Parity;

/// <summary>Compiles the hosts' sources together with a declaration, as a user's build would.</summary>
public sealed class HostCompiler
{
    private static readonly CSharpParseOptions Language = new(LanguageVersion.Latest);
    private readonly Dictionary<string, Assembly> _compiled = [];
    private readonly Lazy<IReadOnlyList<SyntaxTree>> _sources = new(ReadSources);
    private readonly Lazy<IReadOnlyList<MetadataReference>> _references = new(() => ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!)
        .Split(Path.PathSeparator)
        // The hosts are compiled from source here; an assembly that holds them, too, would only be in the way.
        .Where(path => Path.GetFileName(path) != "PeftGen.Models.dll").Select(path => (MetadataReference)MetadataReference.CreateFromFile(path)).ToList());

    /// <summary>The classes that a declaration can stand on.</summary>
    public bool HasClass(string name) => _sources.Value.Any(tree => tree.GetText().ToString().Contains($"partial class {name} ", StringComparison.Ordinal));

    /// <summary>Compiles the hosts with methods declared on one of them.</summary>
    /// <param name="host">The class, for example <c>LlamaForCausalLM</c>.</param>
    /// <param name="attributes">The attributes, as one would write them.</param>
    /// <param name="emitTo">A folder to keep the declaration and the generated code in; null: none.</param>
    /// <returns>The host's type.</returns>
    public Type Compile(string host, string attributes, string? emitTo)
    {
        var declaration = $"using PeftGen;\n\nnamespace PeftGen.Models;\n\n{attributes}\npartial class {host};\n";
        if (emitTo is null && _compiled.TryGetValue(declaration, out var known))
            return TypeIn(known, host);
        var compilation = CSharpCompilation.Create(
            $"Host{_compiled.Count}_{Guid.NewGuid():N}", [.. _sources.Value, CSharpSyntaxTree.ParseText(declaration, Language, "Declaration.cs", System.Text.Encoding.UTF8)], _references.Value,
            new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable, optimizationLevel: OptimizationLevel.Release));
        CSharpGeneratorDriver.Create([new PeftGenerator().AsSourceGenerator()], parseOptions: Language)
            .RunGeneratorsAndUpdateCompilation(compilation, out var output, out var diagnostics);
        if (emitTo is not null)
            Keep(emitTo, declaration, output.SyntaxTrees.Skip(compilation.SyntaxTrees.Length));
        using var stream = new MemoryStream();
        var emitted = output.Emit(stream);
        var errors = diagnostics.Concat(emitted.Diagnostics).Where(d => d.Severity == DiagnosticSeverity.Error).ToList();
        if (errors.Count > 0)
            throw new ParityException($"{attributes} does not compile: {errors[0]}{(errors.Count > 1 ? $" and {errors.Count - 1} more" : "")}");
        stream.Position = 0;
        var assembly = new AssemblyLoadContext(null, isCollectible: true).LoadFromStream(stream);
        _compiled[declaration] = assembly;
        return TypeIn(assembly, host);
    }

    private static Type TypeIn(Assembly assembly, string host) => assembly.GetType($"PeftGen.Models.{host}", throwOnError: true)!;

    private static void Keep(string folder, string declaration, IEnumerable<SyntaxTree> generated)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "Declaration.cs"), declaration);
        foreach (var tree in generated)
            File.WriteAllText(Path.Combine(folder, Path.GetFileName(tree.FilePath)), tree.ToString());
    }

    private static List<SyntaxTree> ReadSources()
    {
        var assembly = typeof(HostCompiler).Assembly;
        var trees = new List<SyntaxTree>
        {
            CSharpSyntaxTree.ParseText("global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Threading;", Language, "Usings.cs", System.Text.Encoding.UTF8),
        };
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.StartsWith("Models/", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            trees.Add(CSharpSyntaxTree.ParseText(reader.ReadToEnd(), Language, name, System.Text.Encoding.UTF8));
        }

        return trees;
    }
}
