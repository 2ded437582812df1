using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>What an editor sees after many edits is what a build from nothing gives.</summary>
public class SameAsColdTests
{
    private const int Edits = 200, FilesAtFirst = 20;

    [Fact]
    public void AfterEachOf200RandomEdits()
    {
        var random = new RandomProject(seed: 20260730, FilesAtFirst);
        var project = Project.Of(random.Files);
        var driver = Generated.NewDriver().RunGenerators(project);
        var changed = 0;
        var mistakes = new HashSet<int>();
        for (var i = 0; i < Edits; i++)
        {
            var (what, path, text) = random.Edit();
            project = project.ReplaceSyntaxTree(project.SyntaxTrees.Single(t => t.FilePath == path), Project.Parse(path, text));
            var before = Output(driver);
            driver = driver.RunGenerators(project);
            var warm = Output(driver);
            var cold = Output(Generated.NewDriver().RunGenerators(project));
            Assert.True(cold.SequenceEqual(warm), $"edit {i} ({what}) of {path}:\n{string.Join("\n", cold.Except(warm))}\nis not\n{string.Join("\n", warm.Except(cold))}");
            changed += before.SequenceEqual(warm) ? 0 : 1;
            mistakes.Add(warm.Count(line => line.StartsWith("PG", StringComparison.Ordinal)));
        }

        // The edits have to matter, and to make mistakes and mend them.
        Assert.InRange(changed, Edits / 4, Edits);
        Assert.True(mistakes.Count >= 5);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void InWhateverOrderTheFilesCome(int seed)
    {
        (string, string)[] parts =
        [
            ("Parts.1.cs", """
                [Scale(targets: "c,a")]
                partial class Parts
                {
                    private readonly Linear c = Linear(4, 4);
                    private readonly LayerNorm normC = LayerNorm(4);

                    private Tensor One(Tensor x) => normC.forward(c.forward(x) + x);
                }
                """),
            ("Parts.2.cs", """
                using System.Text;

                [Touch(Residuals = "**", Group = "second")]
                public partial class Parts : Module<Tensor, Tensor>
                {
                    private readonly Linear a = Linear(4, 4);
                    private readonly LayerNorm normA = LayerNorm(4);

                    public Parts() : base("parts") => RegisterComponents();

                    public override Tensor forward(Tensor x) => Residual.Add(a.forward(x), One(Two(x)));

                    private Tensor Two(Tensor x) => normA.forward(a.forward(x) + x);
                }
                """),
        ];
        var files = new RandomProject(seed, FilesAtFirst).Files.Concat(parts).ToArray();
        var expected = Output(Generated.NewDriver().RunGenerators(Project.Of(files)));
        Assert.Contains(expected, line => line.StartsWith("Parts.g.cs", StringComparison.Ordinal));
        for (var i = 0; i < 3; i++)
        {
            new Random((seed * 10) + i).Shuffle(files);
            Assert.Equal(expected, Output(Generated.NewDriver().RunGenerators(Project.Of(files))));
        }
    }

    private static List<string> Output(GeneratorDriver driver)
    {
        var result = driver.GetRunResult().Results.Single();
        Assert.Null(result.Exception);
        return
        [
            .. result.GeneratedSources.Select(s => s.HintName + "\n" + s.SourceText).Order(StringComparer.Ordinal),
            .. result.Diagnostics.Select(d => $"{d.Id} {d.Location.GetLineSpan()} {d.GetMessage()}").Order(StringComparer.Ordinal),
        ];
    }
}
