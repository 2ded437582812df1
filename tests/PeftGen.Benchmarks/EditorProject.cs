using System.Globalization;
using System.Text;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Benchmarks;

/// <summary>A project of the files of the sample models, 180 that have nothing to do with them, and one of global usings.</summary>
internal static class EditorProject
{
    public const int Others = 180;
    private static readonly CSharpParseOptions _parse = new(LanguageVersion.Latest);

    private static readonly MetadataReference[] _references =
        [.. ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator).Select(path => (MetadataReference)MetadataReference.CreateFromFile(path))];

    private static readonly CSharpCompilation _parsed = CSharpCompilation.Create(
        "Project", Files().Select(f => Parse(f.path, f.text)), _references, new CSharpCompilationOptions(OutputKind.DynamicallyLinkedLibrary, nullableContextOptions: NullableContextOptions.Enable));

    /// <summary>A compilation of which nothing is bound yet, over parsed files.</summary>
    public static CSharpCompilation Fresh() => CSharpCompilation.Create("Project", _parsed.SyntaxTrees, _references, _parsed.Options);

    public static SyntaxTree Parse(string path, string text) => CSharpSyntaxTree.ParseText(text, _parse, path, Encoding.UTF8);

    public static GeneratorDriver NewDriver() => CSharpGeneratorDriver.Create([new Generators.PeftGenerator().AsSourceGenerator()], parseOptions: _parse);

    /// <summary>An edit in a method of a file that is no model's.</summary>
    public static CSharpCompilation EditOther(CSharpCompilation project, int edit)
    {
        var path = Name(edit % Others) + ".cs";
        return project.ReplaceSyntaxTree(project.SyntaxTrees.Single(t => t.FilePath == path), Parse(path, Other(edit % Others, edit + 1)));
    }

    private static IEnumerable<(string path, string text)> Files()
    {
        var assembly = typeof(EditorProject).Assembly;
        foreach (var name in assembly.GetManifestResourceNames().Where(n => n.StartsWith("Models/", StringComparison.Ordinal)))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            var text = reader.ReadToEnd()
                .Replace("public partial class LlamaForCausalLM", "[PeftGen.LoRA(rank: 8, alpha: 16, targets: \"q,v,o\")]\n[PeftGen.IA3(Group = \"ia3\")]\npublic partial class LlamaForCausalLM", StringComparison.Ordinal)
                .Replace("public partial class GPT2LMHeadModel", "[PeftGen.LoRA(rank: 4, targets: \"c_attn,c_fc\")]\npublic partial class GPT2LMHeadModel", StringComparison.Ordinal)
                .Replace("public partial class BertForSequenceClassification", "[PeftGen.LoRA(targets: \"q,v\")]\npublic partial class BertForSequenceClassification", StringComparison.Ordinal);
            yield return (name, text);
        }

        yield return ("Usings.cs", "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Threading; global using System.Threading.Tasks;");
        for (var i = 0; i < Others; i++)
            yield return (Name(i) + ".cs", Other(i, 0));
    }

    private static string Name(int index) => string.Create(CultureInfo.InvariantCulture, $"Service{index}");

    // Ordinary code of about 100 lines: attributes, a base class, calls of its own, LINQ.
    private static string Other(int index, int number)
    {
        var text = new StringBuilder("using System.ComponentModel;\nusing System.Text;\n\nnamespace App.Services;\n\n");
        text.Append(CultureInfo.InvariantCulture, $"[Description(\"service {index}\")]\n[Serializable]\npublic class {Name(index)} : IDisposable\n{{\n");
        text.Append("    private readonly Dictionary<string, List<int>> items = new();\n\n    public void Dispose() => items.Clear();\n");
        for (var m = 0; m < 9; m++)
            text.Append(CultureInfo.InvariantCulture, $$"""

                    /// <summary>Adds what is given under a name.</summary>
                    public int Add{{m}}(string name, IEnumerable<int> values)
                    {
                        if (!items.TryGetValue(name, out var list))
                            items[name] = list = new List<int>();
                        list.AddRange(values.Where(v => v > {{m + number}}).Select(v => v * 2));
                        return list.Sum();
                    }

                """);
        return text.Append("}\n").ToString();
    }
}
