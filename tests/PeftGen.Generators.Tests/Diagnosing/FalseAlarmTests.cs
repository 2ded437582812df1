namespace PeftGen.Generators.Tests;

/// <summary>Declarations that are right, and code that no method touches: nothing is said of either.</summary>
public class FalseAlarmTests
{
    private const string Blocks = """
        public partial class Expert : Module<Tensor, Tensor>
        {
            private readonly Linear up = Linear(4, 4), down = Linear(4, 4);
            public Expert() : base("expert") => RegisterComponents();
            public override Tensor forward(Tensor x) => down.forward(up.forward(x));
        }

        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);
            private readonly ModuleList<Expert> experts = ModuleList(Enumerable.Range(0, 2).Select(_ => new Expert()).ToArray());
            private readonly Sequential mlp = Sequential(Linear(4, 4), ReLU(), Linear(4, 4));
            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var expert in experts)
                    x = x + (expert.forward(q.forward(x)) / 20);
                return x + (mlp.forward(x) / 20);
            }
        }

        """;

    [Theory]
    [InlineData("Scale(targets: \"layers.3.q,layers.5.q\")", "layers.3.q", "layers.5.q")]
    [InlineData("Scale(targets: \"layers.0.mlp.0,layers.0.mlp.2\")", "layers.0.mlp.0", "layers.0.mlp.2")]
    [InlineData("Scale(targets: @\"regex:layers\\.(20|21)\\.experts\\.\\d+\\.up\")", "layers.20.experts.0.up", "layers.20.experts.1.up", "layers.21.experts.0.up", "layers.21.experts.1.up")]
    [InlineData("Scale(targets: @\"regex:layers\\.2[12]\\.q\")", "layers.21.q", "layers.22.q")]
    [InlineData("Scale(targets: @\"regex:layers\\.(\\d|1\\d|2[0-2])\\.experts\\.1\\.up\", Group = null)")]
    public void TargetsWithIndices(string attribute, params string[] sites)
    {
        var model = Model(attribute, 24);
        Assert.Empty(Generated.From(model).AssertCompiles().Reported);
        if (sites.Length > 0)
            RunningModel.Check(model, sites);
    }

    /// <summary>A key of numbers by path that has its effect at one place alone.</summary>
    [Theory]
    [InlineData("layers.20.experts.1.up=1")]
    [InlineData("20.q=3")]
    [InlineData(@"layers\\.(1[2-9]|200)\\..*q=3")]
    public void KeysOfNumbersWithIndices(string pattern) =>
        Assert.Empty(Generated.From(Model($"LoRA(rank: 2, targets: \"q,up\", RankPattern = \"{pattern}\")", 24)).AssertCompiles().Reported);

    [Theory]
    [InlineData("q,[|layers.5.q|]")]
    [InlineData("layers.5.q,[|layers.5.q|]")]
    [InlineData("layers.*.q,[|layers.5.q|]")]
    [InlineData("layers.*.experts.*.up,[|experts.1.up|]")]
    public void WhatIsRepeatedIsStillSaid(string targets)
    {
        var item = targets[(targets.IndexOf('|', StringComparison.Ordinal) + 1)..targets.LastIndexOf('|')];
        Marked.Reports("PG022", $"'{item}' adds nothing: the targets before it have all that it matches; leave it out", Model($"Scale(targets: \"{targets}\")", 24));
    }

    [Theory]
    [InlineData(@"layers\\.0\\d\\.q")]
    [InlineData(@"layers\\.[a-f]+\\.q")]
    public void WhatNoIndexMatchesIsStillSaid(string expression) => Assert.Equal("PG017", Assert.Single(Generated.From(Model($"Scale(targets: \"regex:{expression}\")", 24)).Reported).Id);

    /// <summary>Any class may stand in an abstract field, but where the code shows what does, the others are no matter.</summary>
    [Fact]
    public void AnAbstractFieldTouchesNoOtherClass()
    {
        var others = string.Concat(Enumerable.Range(0, 30).Select(i => $$"""
            public class Other{{i}} : Module<Tensor, Tensor>
            {
                private readonly Linear q_proj = Linear(2, 2), unused = Linear(2, 2);
                public Other{{i}}() : base("other") => RegisterComponents();
                public override Tensor forward(Tensor x) => q_proj.forward(x);
            }

            """));
        var generated = Generated.From(others + """
            [LoRA(rank: 8, targets: "all-linear")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear q_proj = Linear(16, 16);
                private readonly Module<Tensor, Tensor> act;
                public Model(bool gated) : base("model") { act = gated ? GELU() : ReLU(); RegisterComponents(); }
                public override Tensor forward(Tensor x) => act.forward(q_proj.forward(x));
            }
            """).AssertCompiles();
        Assert.Empty(generated.Reported);
        Assert.Single(generated.Files);
    }

    /// <summary>Where the field's content comes from outside, sizes and calls of classes that only may stand there are no mistake of this declaration.</summary>
    [Fact]
    public void WhatOnlyMayStandInAnAbstractFieldHasNoMistakes()
    {
        var generated = Generated.From("""
            public partial class Other : Module<Tensor, Tensor>
            {
                private readonly Linear q_proj = Linear(2, 2), unused = Linear(2, 2);
                public Other() : base("other") => RegisterComponents();
                public override Tensor forward(Tensor x) => q_proj.forward(x);
            }

            [LoRA(rank: 8, targets: "q_proj,unused,own")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear q_proj = Linear(16, 16), own = Linear(16, 16), unused = Linear(16, 16);
                private readonly Module<Tensor, Tensor> any;
                public Model(Module<Tensor, Tensor> any) : base("model") { this.any = any; RegisterComponents(); }
                public override Tensor forward(Tensor x) => any.forward(unused.forward(own.forward(q_proj.forward(x))));
            }
            """).AssertCompiles();
        Assert.Empty(generated.Reported);
    }

    private static string Model(string attribute, int blocks) => Blocks + $$"""
        [{{attribute}}]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> layers = ModuleList(Enumerable.Range(0, {{blocks}}).Select(_ => new Block()).ToArray());
            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var layer in layers)
                    x = layer.forward(x);
                return x;
            }
        }
        """;
}
