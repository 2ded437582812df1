using Microsoft.CodeAnalysis.CodeFixes;

namespace PeftGen.CodeFixes.Tests;

/// <summary>Classes made partial, with those around them.</summary>
public sealed class MakePartialFixTests
{
    private const string Block = """
        /// <summary>Outer.</summary>
        public static class Outer // around
        {
            public sealed class Block : Module<Tensor, Tensor> // here
            {
                private readonly Linear q_proj = Linear(4, 4);

                public Block() : base("block") => RegisterComponents();

                public override Tensor forward(Tensor x) => q_proj.forward(x);
            }
        }
        """;

    private const string Root = """
        [Scale(targets: "q_proj")] // root
        public class Model : Module<Tensor, Tensor>
        {
            private readonly Outer.Block block = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => block.forward(x);
        }
        """;

    [Fact]
    public async Task Makes_a_class_partial_with_those_around_it()
    {
        using var project = new FixedProject(Block + "\n\n" + Root.Replace("public class", "public partial class", StringComparison.Ordinal));
        var before = await project.TextAsync();
        await project.ApplyAsync(new MakePartialFix(), "Make partial");
        // The outer class was reported first.
        Assert.Equal(before.Replace("static class", "static partial class", StringComparison.Ordinal), await project.TextAsync());
        await project.ApplyAsync(new MakePartialFix(), "Make partial");
        Assert.Equal(Partial(Block) + "\n\n" + Partial(Root), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Theory]
    [InlineData(FixAllScope.Document, false)]
    [InlineData(FixAllScope.Project, true)]
    [InlineData(FixAllScope.Solution, true)]
    public async Task Makes_all_classes_partial(FixAllScope scope, bool both)
    {
        using var project = new FixedProject(Block, Root);
        await project.ApplyToAllAsync(new MakePartialFix(), scope);
        Assert.Equal(Partial(Block), await project.TextAsync());
        Assert.Equal(both ? Partial(Root) : Root, await project.TextAsync(1));
        Assert.Equal(both ? 0 : 1, (await project.ReportedAsync()).Length);
    }

    private static string Partial(string text) => text.Replace(" class", " partial class", StringComparison.Ordinal);
}
