namespace PeftGen.Generators.Tests;

/// <summary>Declarations and classes that are wrong: PG004, PG005, PG006, PG008, PG009, PG013.</summary>
public class DeclarationDiagnosticTests
{
    [Fact]
    public void RootNotPartial() => Marked.Reports("PG004", "Model bears a method of adaptation, so code is generated into it; declare it 'partial'", """
        [Scale(targets: "q")]
        public class [|Model|] : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => q.forward(x);
        }
        """, program: false);

    [Fact]
    public void ChildOnTheWayNotPartial() => Marked.Reports("PG004", "Inner lies on the way to a target, so code is generated into it; declare it 'partial'", """
        public class [|Inner|] : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);

            public Inner() : base("inner") => RegisterComponents();

            public override Tensor forward(Tensor x) => q.forward(x);
        }

        [Scale(targets: "q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Inner inner = new();
            private readonly ModuleList<Inner> more = ModuleList(new Inner());
            private readonly Linear q = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => inner.forward(more[0].call(q.forward(x)));
        }
        """);

    [Fact]
    public void BaseClassNotPartial() => Marked.Reports("PG004", "Base lies on the way to a target, so code is generated into it; declare it 'partial'", """
        public class [|Base|] : Module<Tensor, Tensor>
        {
            protected readonly Linear q = Linear(4, 4);

            public Base() : base("base") => RegisterComponents();

            public override Tensor forward(Tensor x) => q.forward(x);
        }

        [Scale(targets: "q,v")]
        public partial class Model : Base
        {
            private readonly Linear v = Linear(4, 4);

            public Model() => RegisterComponents();

            public override Tensor forward(Tensor x) => base.forward(v.forward(x));
        }
        """);

    [Fact]
    public void EnclosingClassNotPartial() => Marked.Reports("PG004", "Zoo is declared around Inner, which is compiled, so code is generated into it; declare it 'partial'", """
        public static class [|Zoo|]
        {
            public partial class Inner : Module<Tensor, Tensor>
            {
                private readonly Linear q = Linear(4, 4);

                public Inner() : base("inner") => RegisterComponents();

                public override Tensor forward(Tensor x) => q.forward(x);
            }
        }

        [Scale(targets: "q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Zoo.Inner inner = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => inner.forward(x);
        }
        """);

    [Fact]
    public void NotAModule() => Marked.Reports("PG005", "[Scale] stands on Settings, which is no torch.nn.Module; put it on the model's class", """
        [[|Scale(targets: "q")|]]
        public partial class Settings;
        """, program: false);

    [Theory]
    [InlineData("Scale([|11|])", "by is 11; Scale takes by from -10 to 10")]
    [InlineData("Scale(targets: \"q\", by: [|-10.5|])", "by is -10.5; Scale takes by from -10 to 10")]
    [InlineData("Scale([|double.NaN|])", "by is NaN; Scale takes by from -10 to 10")]
    [InlineData("LoRA(rank: [|0|], targets: \"q\")", "rank is 0; LoRA takes rank from 1 to 65536")]
    [InlineData("LoRA(4, targets: \"q\", Dropout = [|1.5|])", "Dropout is 1.5; LoRA takes Dropout from 0 to 0.999999")]
    public void OutOfRange(string attribute, string message) => Marked.Reports("PG006", message, $$"""
        [{{(attribute.Contains("targets", StringComparison.Ordinal) ? attribute : attribute.Replace("|])", "|], \"q\")", StringComparison.Ordinal))}}]
        {{Model}}
        """);

    [Fact]
    public void TheSameMethodTwice() => Marked.Reports(
        "PG008", "Scale and Scale both adapt Model.q in one group; give them different targets, or put one into a group of its own with Group = \"…\"", $$"""
        [Scale(targets: "q")]
        [[|Scale(2, "q,v")|]]
        {{Model}}
        """);

    [Fact]
    public void MethodsThatDoNotCompose() => Marked.Reports(
        "PG008", "Scale and Alone both adapt Model.q in the group 'g'; they do not compose; put one into a group of its own with Group = \"…\"", $$"""
        [Composes(false)]
        public sealed class Alone : AdaptAttribute
        {
            [Adapts(SiteKind.Layer)] public string Targets { get; set; } = "q";
            public override IReadOnlyList<Claim> Claims => [new(SiteKind.Layer, TargetList.Parse(Targets))];
            public override Slot CreateSlot(Site site) => new ScaleSlot(site.Path, 1);
            public override string PeftType => "ALONE";
            public override void WriteConfig(System.Text.Json.Nodes.JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) { }
            public override AdaptAttribute ReadConfig(System.Text.Json.Nodes.JsonObject config) => this;
            public override string ToString() => "[Alone]";
        }

        [Scale(targets: "v")]
        [Scale(targets: "q", Group = "g")]
        [[|Alone(Targets = "q", Group = "g")|]]
        {{Model}}
        """);

    [Theory]
    [InlineData("Adapted", "public int [|Adapted|];")]
    [InlineData("With", "public Tensor [|With|](Tensor x) => x;")]
    [InlineData("Unfreeze", "public void [|Unfreeze|](bool all) { }")]
    [InlineData("CreateAdapter", "public void [|CreateAdapter|]() { }")]
    [InlineData("LoadAdapter", "public void [|LoadAdapter|]() { }")]
    [InlineData("ScaleAdapter", "public class [|ScaleAdapter|];")]
    public void NameClash(string name, string member) => Marked.Reports("PG009", $"Model already declares '{name}', which PeftGen emits; rename it", $$"""
        [Scale(targets: "q")]
        {{Model.Replace("RegisterComponents();", $"RegisterComponents();\n\n    {member}", StringComparison.Ordinal)}}
        """, program: false);

    [Fact]
    public void NameOfSomethingFromOutside() => Marked.Reports("PG009", "Model already means something else by 'ScaleAdapter', which PeftGen emits; rename it", """
        public static class ScaleAdapter
        {
            public const double Gain = 2;
        }

        [Scale(targets: "q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => q.forward(x) * [|ScaleAdapter|].Gain;
        }
        """, program: false);

    [Fact]
    public void NameOfAnInheritedMember() => Marked.Reports("PG009", "Model already declares 'Unfreeze', which PeftGen emits; rename it", """
        public partial class Trainable : Module<Tensor, Tensor>
        {
            protected readonly Linear q = Linear(4, 4);

            public Trainable() : base("model") => RegisterComponents();

            public void [|Unfreeze|]() { }

            public override Tensor forward(Tensor x) => q.forward(x);
        }

        [Scale(targets: "q")]
        public partial class Model : Trainable;
        """, program: false);

    [Theory]
    [InlineData("my group", "the group 'my group' becomes part of names such as CreateMy groupAdapter, so it has to be a C# identifier; give it another name")]
    [InlineData("scale", "the group 'scale' gets the adapter type ScaleAdapter, which the group without a name has already; give it another name")]
    public void GroupName(string group, string message) => Marked.Reports("PG013", message, $$"""
        [Scale(targets: "q")]
        [Scale(targets: "v", Group = [|"{{group}}"|])]
        {{Model}}
        """);

    [Fact]
    public void SeveralMistakesAreAllReported() => Marked.Reports(
        [
            ("PG001", "'k' matches nothing below Model; there are q, v, and 'all-linear' means every linear layer"),
            ("PG006", "by is 20; Scale takes by from -10 to 10"),
            ("PG007", "'a.' has an empty segment between dots"),
        ],
        $$"""
        [Scale(targets: "q,[|k|]")]
        [Scale([|20|], targets: "[|a.|]", Group = "other")]
        {{Model}}
        """);

    private const string Model = """
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4), v = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => v.forward(q.forward(x));
        }
        """;
}
