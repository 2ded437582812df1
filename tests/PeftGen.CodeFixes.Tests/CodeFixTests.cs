using Microsoft.CodeAnalysis.CodeFixes;

namespace PeftGen.CodeFixes.Tests;

public sealed class CodeFixTests
{
    [Fact]
    public async Task Corrects_the_mistyped_target_alone()
    {
        var model = Model("\"v_proj, q_porj\" /* both */", "v_proj.forward(q_proj.forward(x))");
        using var project = new FixedProject(model);
        Assert.Equal(["Change to 'q_proj'"], (await project.OfferedAsync(new CorrectTargetFix())).Take(1).Select(a => a.Title));
        await project.ApplyAsync(new CorrectTargetFix(), "Change to 'q_proj'");
        Assert.Equal(model.Replace("q_porj", "q_proj", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Fact]
    public async Task Offers_the_other_near_names_too()
    {
        using var project = new FixedProject(Model("\"w_proj\"", "v_proj.forward(q_proj.forward(x))"));
        Assert.Equal(["Change to 'q_proj'", "Change to 'v_proj'"], (await project.OfferedAsync(new CorrectTargetFix())).Select(a => a.Title));
    }

    [Fact]
    public async Task Writes_the_path_that_a_renamed_field_has_in_checkpoints()
    {
        var model = Model("\"query\"", "v_proj.forward(query.forward(x))").Replace("Linear q_proj = Linear(4, 4), v_proj", "Linear v_proj", StringComparison.Ordinal)
            .Replace("    public Model", "    [Name(\"self.q_proj\")] private readonly Linear query = Linear(4, 4);\n\n    public Model", StringComparison.Ordinal);
        using var project = new FixedProject(model);
        await project.ApplyAsync(new CorrectTargetFix(), "Change to 'self.q_proj'");
        Assert.Equal(model.Replace("\"query\"", "\"self.q_proj\"", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Theory]
    [InlineData("\"nothing_like_it\"")]
    [InlineData("Names.Wrong")]
    public async Task Offers_nothing_for_a_name_far_from_all_or_written_elsewhere(string targets)
    {
        using var project = new FixedProject(Model(targets, "v_proj.forward(q_proj.forward(x))") + "\npublic static class Names { public const string Wrong = \"q_porj\"; }");
        Assert.Empty(await project.OfferedAsync(new CorrectTargetFix()));
    }

    [Fact]
    public async Task Writes_a_lambda_for_a_method_group()
    {
        var model = Model("\"q_proj\"", "Run(/* twice */ Next().forward, q_proj.forward(x))");
        using var project = new FixedProject(model);
        await project.ApplyAsync(new MethodGroupFix(), "Write a lambda that calls it");
        Assert.Equal(model.Replace("/* twice */ Next().forward,", "/* twice */ y => Next().forward(y),", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Fact]
    public async Task Offers_no_lambda_for_a_call()
    {
        using var project = new FixedProject(Model("\"q_proj\"", "Next()?.forward(x) ?? x"));
        Assert.Empty(await project.OfferedAsync(new MethodGroupFix()));
    }

    [Fact]
    public async Task Adds_the_name_under_which_a_field_is_registered()
    {
        const string Source = """
            [Scale(targets: "q_proj")]
            public partial class Model : Module<Tensor, Tensor>
            {
                // the query
                private readonly Linear q_proj = Linear(4, 4);

                public Model() : base("model") => register_module("self.query".Length > 0 ? "a" : "b", q_proj);

                public override Tensor forward(Tensor x) => q_proj.forward(x);
            }
            """;
        var model = Source.Replace("\"self.query\".Length > 0 ? \"a\" : \"b\"", "\"query\"", StringComparison.Ordinal);
        using var project = new FixedProject(model);
        await project.ApplyAsync(new AddNameFix(), "Add [Name(\"query\")] to q_proj");
        Assert.Equal(model.Replace("    private readonly Linear q_proj", "    [Name(\"query\")]\n    private readonly Linear q_proj", StringComparison.Ordinal), await project.TextAsync());
        // A name that is computed is not known.
        using var computed = new FixedProject(Source);
        Assert.DoesNotContain(await computed.ReportedAsync(), d => d.Id == "PG026");
    }

    [Fact]
    public async Task Names_a_field_as_the_target_means_it()
    {
        const string Source = """
            [Scale(targets: "blocks.*.q_proj")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly ModuleList<Block> blocks = ModuleList(new Block());

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => blocks[0].forward(x);
            }
            """;
        const string Block = """
            public partial class Block : Module<Tensor, Tensor>
            {
                private readonly Linear QProj = Linear(4, 4);

                public Block() : base("block") => RegisterComponents();

                public override Tensor forward(Tensor x) => QProj.forward(x);
            }
            """;
        using var project = new FixedProject(Source.Replace("blocks.*.q_proj", "q_proj", StringComparison.Ordinal), Block);
        await project.ApplyAsync(new AddNameFix(), "Add [Name(\"q_proj\")] to QProj");
        Assert.Equal(Block.Replace("    private readonly Linear", "    [Name(\"q_proj\")]\n    private readonly Linear", StringComparison.Ordinal), await project.TextAsync(1));
        Assert.Empty(await project.ReportedAsync());
    }

    [Theory]
    [InlineData("projections[q,v]", "\"q\", \"k\", \"v\"")]
    [InlineData("projections[up]", "\"gate\", \"up\"")]
    [InlineData("projections[left,right]", "\"left\", \"right\"")]
    public async Task Tells_the_parts_of_a_fused_layer(string target, string parts)
    {
        var source = $$"""
            [LoRA(2, targets: "{{target}}")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear projections = Linear(4, 12);

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => projections.forward(x);
            }
            """;
        using var project = new FixedProject(source);
        await project.ApplyAsync(new AddFusedFix(), $"Add [Fused({parts})] to projections");
        Assert.Equal(source.Replace("    private readonly Linear", $"    [Fused({parts})]\n    private readonly Linear", StringComparison.Ordinal), await project.TextAsync());
        Assert.DoesNotContain(await project.ReportedAsync(), d => d.Id is "PG039" or "PG040");
    }

    [Fact]
    public async Task Says_which_parameter_bears_the_ids()
    {
        const string Source = """
            [PromptTuning(4, "embed_tokens")]
            public partial class Model : Module<Tensor, Tensor, Tensor>
            {
                private readonly Embedding embed_tokens = Embedding(9, 4);

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(/* the text */ Tensor words, Tensor mask) => embed_tokens.forward(words) * mask;
            }
            """;
        using var project = new FixedProject(Source);
        await project.ApplyAsync(new AddInputFix(), "Add [Input(InputRole.InputIds)] to words");
        Assert.Equal(Source.Replace("Tensor words,", "[Input(InputRole.InputIds)] Tensor words,", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Fact]
    public async Task Does_not_guess_among_parameters()
    {
        using var project = new FixedProject("""
            [PromptTuning(4, "embed_tokens")]
            public partial class Model : Module<Tensor, Tensor, Tensor>
            {
                private readonly Embedding embed_tokens = Embedding(9, 4);

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor words, Tensor sizes) => embed_tokens.forward(words) * sizes;
            }
            """);
        Assert.Empty(await project.OfferedAsync(new AddInputFix()));
    }

    [Fact]
    public async Task Corrects_a_name_that_a_method_does_not_know()
    {
        const string Source = """
            [LoReFT(2, targets: "q_proj", NonLinearity = "gleu")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear q_proj = Linear(4, 4);

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => q_proj.forward(x);
            }
            """;
        using var project = new FixedProject(Source);
        await project.ApplyAsync(new CorrectTargetFix(), "Change to 'gelu'");
        Assert.Equal(Source.Replace("gleu", "gelu", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    [Fact]
    public async Task Keeps_the_path_before_a_mistyped_name()
    {
        const string Source = """
            [Scale(targets: "inner.q_prj")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Inner inner = new();

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => inner.forward(x);
            }

            public partial class Inner : Module<Tensor, Tensor>
            {
                private readonly Linear q_proj = Linear(4, 4);

                public Inner() : base("inner") => RegisterComponents();

                public override Tensor forward(Tensor x) => q_proj.forward(x);
            }
            """;
        using var project = new FixedProject(Source);
        await project.ApplyAsync(new CorrectTargetFix(), "Change to 'inner.q_proj'");
        Assert.Empty(await project.ReportedAsync());
    }

    [Theory]
    [InlineData(FixAllScope.Document)]
    [InlineData(FixAllScope.Project)]
    public async Task Writes_lambdas_for_all_method_groups(FixAllScope scope)
    {
        var model = Model("\"q_proj\"", "Run(Next().forward, Run(Next().forward, q_proj.forward(x)))");
        using var project = new FixedProject(model);
        await project.ApplyToAllAsync(new MethodGroupFix(), scope);
        Assert.Equal(model.Replace("Next().forward,", "y => Next().forward(y),", StringComparison.Ordinal), await project.TextAsync());
        Assert.Empty(await project.ReportedAsync());
    }

    private static string Model(string targets, string forward) => $$"""
        [Scale(targets: {{targets}})]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4), v_proj = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            // forward
            public override Tensor forward(Tensor x) => {{forward}};

            private Linear Next() => q_proj;

            private static Tensor Run(Func<Tensor, Tensor> f, Tensor x) => f(x);
        }
        """;
}
