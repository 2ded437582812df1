using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>Targets that are wrong: PG001, PG002, PG003, PG007, PG010, PG011, PG012.</summary>
public class TargetDiagnosticTests
{
    [Theory]
    [InlineData("\"[|q_porj|]\"", "'q_porj' matches nothing below Model; did you mean 'q_proj'?")]
    [InlineData("\"q_proj, [|v_prj|] ,act\"", "'v_prj' matches nothing below Model; did you mean 'v_proj'?")]
    [InlineData("\"q_proj,[|attn.v_proj|]\"", "'attn.v_proj' matches nothing below Model; did you mean 'v_proj'?")]
    [InlineData("targets: \"[|unknown|]\"", "'unknown' matches nothing below Model; there are act, q_proj, v_proj, and 'all-linear' means every linear layer")]
    [InlineData("[|@\"q_porj\"|]", "'q_porj' matches nothing below Model; did you mean 'q_proj'?")]
    [InlineData("[|Names.Wrong|]", "'q_porj' matches nothing below Model; did you mean 'q_proj'?")]
    public void NoSuchTarget(string targets, string message)
    {
        // An escape in a literal makes it longer than its value: then the whole literal is marked.
        if (targets.Contains("\\\\", StringComparison.Ordinal))
            targets = targets.Replace("\"[|", "[|\"", StringComparison.Ordinal).Replace("|]\"", "\"|]", StringComparison.Ordinal);
        Marked.Reports("PG001", message, $$"""
            public static class Names { public const string Wrong = "q_porj"; }

            [Scale(1, {{targets.Replace(",act", "", StringComparison.Ordinal)}})]
            {{Model("act.forward(v_proj.forward(q_proj.forward(x)))")}}
            """);
    }

    /// <summary>What a Sequential holds shows in the code that makes it, so classes that have nothing to do with it are left alone.</summary>
    [Fact]
    public void ASequentialBelowAModuleIsNoMatterOfOtherClasses()
    {
        var generated = Generated.From("""
            public partial class Head : Module<Tensor, Tensor>
            {
                private readonly Sequential net = Sequential(("fc", Linear(4, 4)), ("act", ReLU()));
                public Head() : base("head") => RegisterComponents();
                public override Tensor forward(Tensor x) => net.forward(x);
            }

            public class Other : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);
                public int Adapter;
                public Other() : base("other") => RegisterComponents();
                public override Tensor forward(Tensor x) => fc.forward(x);
            }

            [Touch(Parameters = "head")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Head head = new();
                public Model() : base("model") => RegisterComponents();
                public override Tensor forward(Tensor x) => head.forward(x);
            }
            """);
        Assert.Empty(generated.Reported);
        generated.AssertCompiles();
    }

    /// <summary>The sum of a residual is one slot's.</summary>
    [Fact]
    public void TwoMethodsOnOneResidual() => Marked.Reports("PG008", "Touch and Touch both adapt Model.mlp (the residual) in one group; give them different targets, or put one into a group of its own with Group = \"…\"", """
        [Touch(Residuals = "mlp")]
        [[|Touch(Residuals = "mlp")|]]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Inner mlp = new();
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => x + mlp.forward(x);
        }

        public partial class Inner : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            public Inner() : base("inner") => RegisterComponents();
            public override Tensor forward(Tensor x) => fc.forward(x);
        }
        """);

    [Fact]
    public void SuggestionNamesTheCheckpointsPathOfARenamedField() => Marked.Reports("PG001", "'query' matches nothing below Model; in checkpoints the field query is 'self.q_proj'", """
        [Scale(targets: "[|query|]")]
        public partial class Model : Module<Tensor, Tensor>
        {
            [Name("self.q_proj")] private readonly Linear query = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => query.forward(x);
        }
        """);

    [Theory]
    [InlineData("Residuals", "'**' matches nothing below Model that adds a residual the compiler can see; write Residual.Add(h, r), with the sub-layer's output first")]
    [InlineData("Attentions", "'**' matches nothing below Model with an attention the compiler can see; write (k, v, mask) = Attention.Attach(x, q, k, v, mask)")]
    [InlineData("Parameters", "'nothing' matches nothing below Model; there are act, q_proj, v_proj")]
    public void NoSuchSiteInABody(string property, string message) => Marked.Reports("PG001", message, $$"""
        [Touch({{property}} = "[|{{(property == "Parameters" ? "nothing" : "**")}}|]")]
        {{Model("act.forward(v_proj.forward(q_proj.forward(x)))")}}
        """);

    /// <summary>Of modules that train whole, as of all optional targets, some may be another model's; not all.</summary>
    [Fact]
    public void ModulesToSaveThatAreNowhere()
    {
        Marked.Reports(
            [("PG001", "'v_prj' matches nothing below Model; did you mean 'v_proj'?"), ("PG001", "'classifier' matches nothing below Model; there are act, q_proj, v_proj")], $$"""
            [Scale(targets: "q_proj", ModulesToSave = "[|v_prj|],[|classifier|]")]
            {{Model("act.forward(v_proj.forward(q_proj.forward(x)))")}}
            """);
        var generated = Generated.From($$"""
            [Scale(targets: "q_proj", ModulesToSave = "v_proj,classifier")]
            {{Model("act.forward(v_proj.forward(q_proj.forward(x)))")}}
            """);
        Assert.Empty(generated.Reported);
        Assert.Contains(generated.Files.Values, text => text.Contains("LayerSlot? v_proj", StringComparison.Ordinal));
    }

    [Fact]
    public void NeverCalled() => Marked.Reports(
        "PG002", "'v_proj' is Model.v_proj, which no method of Model calls, so an adapter there would do nothing; call it, or leave it out of the targets", $$"""
        [Scale(targets: "q_proj,[|v_proj|]")]
        {{Model("act.forward(q_proj.forward(x))")}}
        """);

    [Fact]
    public void NeverCalledAtAll() => Marked.Reports(
        "PG002", "'q_proj' is Model.q_proj, which no method of Model calls, so an adapter there would do nothing; call it, or leave it out of the targets", $$"""
        [Scale(targets: "[|q_proj|]")]
        {{Model("x + 1")}}
        """);

    [Fact]
    public void CannotCarry() => Marked.Reports("PG003", "'act' is Model.act of type ReLU, which cannot carry Scale; it needs a layer of type Linear", $$"""
        [Scale(targets: "q_proj,[|act|]")]
        {{Model("act.forward(q_proj.forward(x))")}}
        """);

    [Fact]
    public void AModuleCannotCarryWhatIsForLayers() => Marked.Reports("PG003", "'inner' is Model.inner of type Inner, which cannot carry Scale; it needs a layer of type Linear", """
        public partial class Inner : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);

            public Inner() : base("inner") => RegisterComponents();

            public override Tensor forward(Tensor x) => q.forward(x);
        }

        [Scale(targets: "q,[|inner|]")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Inner inner = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => inner.forward(x);
        }
        """);

    [Theory]
    [InlineData("\"q_proj,[|,|]v_proj\"", "a target is empty; write names separated by commas, for example 'q_proj,v_proj'")]
    [InlineData("\"q_proj,[|v;proj|]\"", "'v;proj' contains ';'; write names, dots, * and **, a name with other characters in single quotes, or begin with 'regex:'")]
    [InlineData("\"[|a..b|]\"", "'a..b' has an empty segment between dots")]
    [InlineData("\"q_proj,[|v.'k|]\"", "v.'k has a quote that does not end; write 'name', and '' for a quote in a name")]
    [InlineData("\"[|regex:(|]\"", "'(' is no regular expression that PeftGen can match: a '(' has no ')'")]
    public void MalformedTargets(string targets, string message) => Marked.Reports("PG007", message, $$"""
        [Scale(targets: {{targets}})]
        {{Model("act.forward(v_proj.forward(q_proj.forward(x)))")}}
        """);

    [Theory]
    [InlineData("[|Runner.Run(q_proj, x)|]", "this use of q_proj cannot be followed into an adapter: Runner.Run runs it as the base does; call it here, or make Run a method of this class")]
    [InlineData("[|q_proj.Apply(x)|]", "this use of q_proj cannot be followed into an adapter: Runner.Apply runs it as the base does; call it here, or make Apply a method of this class")]
    [InlineData("[|Runner.RunAll(blocks, x)|]", "this use of blocks cannot be followed into an adapter: Runner.RunAll runs it as the base does; call it here, or make RunAll a method of this class")]
    [InlineData("[|Projected|]", "this use of Projected cannot be followed into an adapter: a property's getter takes no adapter; make it a method")]
    [InlineData("[|step.forward(x)|]", "this use of IStep cannot be followed into an adapter: an interface has no overload that takes an adapter; declare the class, or an abstract Module<…>")]
    [InlineData("Run([|Next().forward|], x)", "this use of Block cannot be followed into an adapter: the expression before the dot would have to be evaluated twice; put it into a variable first")]
    [InlineData("(from i in new[] { x } select [|Next().forward(i)|]).First()", "this use of Block cannot be followed into an adapter: the expression before the dot would have to be evaluated twice; put it into a variable first")]
    public void CallThatCannotBeFollowed(string expression, string message) => Marked.Reports("PG010", message, $$"""
        public interface IStep { Tensor forward(Tensor x); }

        public static class Runner
        {
            public static Tensor Run(Linear layer, Tensor x) => layer.forward(x);

            public static Tensor Apply(this Linear layer, Tensor x) => Run(layer, x);

            public static Tensor RunAll(IEnumerable<Block> blocks, Tensor x) => blocks.Aggregate(x, (y, b) => b.forward(y));

            public static string Show(Linear layer) => layer.ToString()!;
        }

        public partial class Block : Module<Tensor, Tensor>, IStep
        {
            private readonly Linear q_proj = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => q_proj.forward(x);
        }

        [Scale(targets: "q_proj")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> blocks = ModuleList(new Block());
            private readonly Linear q_proj = Linear(4, 4);
            private readonly IStep step;

            public Model() : base("model") { step = blocks[0]; Runner.Run(q_proj, torch.ones(4)); RegisterComponents(); }

            public override Tensor forward(Tensor x) => q_proj.forward(x.to(Runner.Show(q_proj).Length)) + blocks[0].forward({{expression}});

            private Tensor Projected => q_proj.forward(torch.ones(4));

            private Block Next() => blocks[0];

            private static Tensor Run(Func<Tensor, Tensor> f, Tensor x) => f(x);
        }
        """);

    [Fact]
    public void ABodyThatCannotBeFollowedThrowsWhereItIsOnlyAWarning()
    {
        var project = Project.Of($$"""
            [Scale(targets: "q_proj")]
            {{Model("Run(((Func<Linear>)(() => q_proj))().forward, q_proj.forward(x))")}}
            """);
        var text = Generated.From(project).Files["Model.g.cs"];
        Assert.Contains("throw new global::System.NotSupportedException(\"This method could not be compiled; PG010 says why.\");", text, StringComparison.Ordinal);
    }

    private const string Roles = """
        [Scale(targets: "[|q|],[|k|]")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4), gate_proj = Linear(4, 4), k_proj = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => k_proj.forward(gate_proj.forward(q_proj.forward(x)));
        }
        """;

    [Fact]
    public void RolesAreListed() => Marked.Reports([("PG011", "'q' stands for Model.q_proj"), ("PG011", "'k' stands for Model.k_proj")], Roles);

    [Fact]
    public void RolesOfSeveralFields() => Marked.Reports("PG018", "'ffn_in' stands for several fields of one class: Model.gate_proj, Model.up_proj; name them where not all are meant", """
        [Scale(targets: "[|ffn_in|]")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear gate_proj = Linear(4, 4), up_proj = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => up_proj.forward(gate_proj.forward(x));
        }
        """);

    [Theory]
    [InlineData("act.*.q_proj", "the nearest are q_proj, v_proj, act")]
    [InlineData("layers.3.q_proj", "the nearest are q_proj, v_proj, act")]
    public void PatternsThatMatchNothing(string target, string nearest) => Marked.Reports("PG017", $"'{target}' matches no path below Model, whatever the index; {nearest}", $$"""
        [Scale(targets: "[|{{target}}|],q_proj")]
        {{Model("act.forward(v_proj.forward(q_proj.forward(x)))")}}
        """);

    [Fact]
    public void RolesAreInformationThatCanBeSilencedOrRaised()
    {
        var source = Roles.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal);
        Assert.All(Generated.From(source).Reported, d => Assert.Equal(DiagnosticSeverity.Info, d.Severity));
        Assert.Empty(Generated.From($"#pragma warning disable PG011\n{source}").Reported.Where(d => !d.IsSuppressed));
        var project = Project.Of(source);
        var raised = project.WithOptions(project.Options.WithSpecificDiagnosticOptions([.. project.Options.SpecificDiagnosticOptions, new("PG011", ReportDiagnostic.Error)]));
        Assert.All(Generated.From(raised).Reported, d => Assert.Equal(DiagnosticSeverity.Error, d.Severity));
    }

    [Fact]
    public void OtherAssembly()
    {
        var library = Project.Library("""
            namespace Library;

            public class Block : Module<Tensor, Tensor>
            {
                public Linear inside = Linear(4, 4);

                public Block() : base("block") => RegisterComponents();

                public override Tensor forward(Tensor x) => inside.forward(x);
            }
            """);
        var project = Project.Of("""
            [Scale(targets: "inside")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Library.Block block = new();

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => block.forward(x);
            }
            """).AddReferences(library);
        var reported = Assert.Single(Generated.From(project).Reported);
        Assert.Equal("PG012", reported.Id);
        Assert.Equal("inside", project.SyntaxTrees[0].GetText().ToString(reported.Location.SourceSpan));
        Assert.Equal(
            "'inside' lies below Model.block, whose class Block is in another assembly and was not compiled by PeftGen; compile it there, or choose other targets",
            reported.GetMessage());
    }

    private static string Model(string forward) => $$"""
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4), v_proj = Linear(4, 4);
            private readonly ReLU act = ReLU();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => {{forward}};

            private static Tensor Run(Func<Tensor, Tensor> f, Tensor x) => f(x);
        }
        """;
}
