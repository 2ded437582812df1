using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>Models are parsed anew if, and only if, an edit can have to do with them.</summary>
public class OutlineTests
{
    private static readonly (string path, string text)[] _files =
    [
        ("Model.cs", """
            namespace App
            {
                [LoRA(rank: Sizes.Rank, targets: "q")]
                public partial class Model : Shell
                {
                    private readonly Linear q = Linear(4, 4), k = Linear(4, 4);

                    public override Tensor forward(Tensor x) => Extra(k.Twice(q.forward(x)) * Sizes.Scale(1));
                }
            }
            """),
        ("Shell.cs", """
            namespace App
            {
                public abstract partial class Shell : Base
                {
                    protected Shell() : base("model") => RegisterComponents();

                    protected virtual Tensor Extra(Tensor x) => x;
                }
            }
            """),
        ("Usings.cs", "global using Base = TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>;"),
        ("Helpers.cs", """
            namespace App
            {
                public static class Helpers
                {
                    public static Tensor Twice(this Linear layer, Tensor x) => Count(layer) + x;

                    private static int Count(Linear layer) { return layer.ToString().Length; }
                }
            }
            """),
        ("Sizes.cs", """
            namespace App
            {
                /// <summary>Numbers.</summary>
                public static class Sizes
                {
                    public const int Rank = 4;

                    private static readonly int[] _kept = [1, 2];

                    public static int Kept => _kept.Length;

                    public static float Scale(int by)
                    {
                        return by * 2f;
                    }
                }
            }
            """),
        ("Mine.cs", """
            namespace App
            {
                public sealed class Scaled : PeftGen.LoRAAttribute
                {
                    public Scaled() : base(rank: 2, targets: "q") { }
                }

                [System.Obsolete]
                public class Service : IDisposable
                {
                    public int Count { get { return 1; } set { Dispose(); } }

                    public void Dispose() { }
                }
            }
            """),
    ];

    [Theory]
    [InlineData("Sizes.cs", "by * 2f", "by * (2f + Kept)")]
    [InlineData("Sizes.cs", "return by", "// doubled\n\n                        return by")]
    [InlineData("Sizes.cs", "_kept.Length;", "_kept.Length + 1;")]
    [InlineData("Mine.cs", "return 1;", "return 2 + 3;")]
    [InlineData("Mine.cs", "Dispose();", "")]
    public void EditOfABodyElsewhereIsLetPass(string file, string old, string @new)
    {
        var (_, after, _) = Edit(file, old, @new);
        Assert.Equal([IncrementalStepRunReason.Cached], after.TrackedSteps[PeftGenerator.ModelsStep].SelectMany(s => s.Outputs).Select(o => o.Reason));
    }

    [Theory]
    [InlineData("a constant that an attribute names", "Sizes.cs", "Rank = 4", "Rank = 5")]
    [InlineData("the type of a helper", "Sizes.cs", "public static float Scale(int by)", "public static Tensor Scale(int by)")]
    [InlineData("an alias of a base class", "Usings.cs", "TorchSharp.torch.nn.Module<TorchSharp.torch.Tensor, TorchSharp.torch.Tensor>", "System.Exception")]
    [InlineData("a base class", "Shell.cs", ": Base", ": Module<Tensor, Tensor>")]
    [InlineData("a body of a base class", "Shell.cs", "Extra(Tensor x) => x", "Extra(Tensor x) => forward(x)")]
    [InlineData("a helper that begins to run its layer", "Helpers.cs", "Count(layer) + x;", "layer.forward(x);")]
    [InlineData("a helper of that helper", "Helpers.cs", "return layer.ToString().Length;", "return (int)layer.forward(ones(4)).shape[0];")]
    [InlineData("an attribute where there was none that counts", "Mine.cs", "[System.Obsolete]", "[Scaled]")]
    [InlineData("what closes a body", "Sizes.cs", "return by * 2f;", "return by * 2f; } public static int Rank2() { return 1;")]
    [InlineData("an open comment", "Sizes.cs", "return by * 2f;", "return by * 2f; /* ")]
    [InlineData("a directive in a body", "Sizes.cs", "return by * 2f;", "return by * 2f;\n#nullable disable\n")]
    public void EditThatMattersIsSeen(string what, string file, string old, string @new)
    {
        var (before, after, cold) = Edit(file, old, @new);
        Assert.NotEqual(IncrementalStepRunReason.Cached, after.TrackedSteps[PeftGenerator.ProjectStep].SelectMany(s => s.Outputs).Single().Reason);
        Assert.True(Text(cold) == Text(after), what);
        Assert.NotEmpty(before.GeneratedSources);
    }

    private static (GeneratorRunResult before, GeneratorRunResult after, GeneratorRunResult cold) Edit(string file, string old, string @new)
    {
        var project = Project.Of(_files);
        var driver = Generated.NewDriver(trackSteps: true).RunGenerators(project);
        var before = driver.GetRunResult().Results.Single();
        var tree = project.SyntaxTrees.Single(t => t.FilePath == file);
        var text = tree.GetText().ToString();
        Assert.Contains(old, text, StringComparison.Ordinal);
        project = project.ReplaceSyntaxTree(tree, Project.Parse(file, text.Replace(old, @new, StringComparison.Ordinal)));
        return (before, driver.RunGenerators(project).GetRunResult().Results.Single(), Generated.NewDriver().RunGenerators(project).GetRunResult().Results.Single());
    }

    private static string Text(GeneratorRunResult result)
    {
        Assert.Null(result.Exception);
        return string.Join("\n", result.GeneratedSources.Select(s => s.HintName + s.SourceText).Concat(result.Diagnostics.Select(d => d.ToString())));
    }
}
