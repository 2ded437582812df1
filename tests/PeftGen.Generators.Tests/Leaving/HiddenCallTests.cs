namespace PeftGen.Generators.Tests;

/// <summary>Members that C# runs where no call is written, and that take no adapter.</summary>
public class HiddenCallTests
{
    [Theory]
    [InlineData("private Tensor Projected => q_proj.forward(torch.ones(4));", "[|Projected|]")]
    [InlineData("private Tensor Projected { get { return q_proj.forward(torch.ones(4)); } }", "[|this.Projected|]")]
    [InlineData("", "[|block.Projected|]")]
    [InlineData("", "[|blocks[0].Projected|]")]
    [InlineData("private Tensor last = null!; private Tensor Last { get => last; set => last = q_proj.forward(value); } private Tensor Set(Tensor x) { [|Last|] = x; return Last; }", "Set(x)")]
    [InlineData("private Tensor this[Tensor x] => q_proj.forward(x);", "[|this[x]|]")]
    [InlineData("private Tensor this[int i] => q_proj.forward(torch.ones(i)); private int Length => 4;", "[|this[^0]|]")]
    [InlineData("public static Tensor operator *(Model model, Tensor x) => model.q_proj.forward(x);", "[|this * x|]")]
    [InlineData("public static Tensor operator ~(Model model) => model.q_proj.forward(torch.ones(4));", "[|~this|]")]
    [InlineData("public static implicit operator Tensor(Model model) => model.q_proj.forward(torch.ones(4));", "x + [|this|]")]
    [InlineData("public static explicit operator Tensor(Model model) => model.q_proj.forward(torch.ones(4));", "[|(Tensor)this|]")]
    [InlineData("public override string ToString() => q_proj.forward(torch.ones(4)).sum().item<float>().ToString(); private Tensor Show(Tensor x) => x * $\"{[|this|]}\".Length;", "Show(x)")]
    [InlineData("public override string ToString() => q_proj.forward(torch.ones(4)).ToString()!; private Tensor Show(Tensor x) { [|Console.WriteLine(this)|]; return x; }", "Show(x)")]
    [InlineData("public void Deconstruct(out Tensor a, out Tensor b) { a = q_proj.forward(torch.ones(4)); b = a; } private Tensor Parts(Tensor x) { var (a, b) = this; return a; }", "Parts(x)", "var (a, b) = this")]
    [InlineData("public void Deconstruct(out Tensor a, out Tensor b) { a = q_proj.forward(torch.ones(4)); b = a; } private Tensor Parts(Tensor x) => this is (var a, _) ? a : x;", "Parts(x)", "this is (var a, _)")]
    [InlineData("public IEnumerator<Tensor> GetEnumerator() { yield return q_proj.forward(torch.ones(4)); } private Tensor Sum(Tensor x) { foreach (var y in [|this|]) x = x + y; return x; }", "Sum(x)")]
    [InlineData("private event Action<int> Done { add { q_proj.forward(torch.ones(4)); } remove { } } private Tensor Tell(Tensor x) { Done += i => { }; return x; }", "Tell(x)", "Done += i => { }")]
    [InlineData("private Tensor Read(Tensor x) => this is { [|Projected|]: var p } ? p : x; private Tensor Projected => q_proj.forward(torch.ones(4));", "Read(x)")]
    public void InModules(string members, string forward, string? mark = null)
    {
        var source = LeavingModel.Source(forward, members);
        LeavingModel.Refuses(mark is null ? source : source.Replace(mark, $"[|{mark}|]", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("[|step.Step(x)|]")]
    [InlineData("[|step.Twice(x)|]")]
    [InlineData("[|step[0, x]|]")]
    [InlineData("[|step.Last|]")]
    [InlineData("[|((IStep)two).Step(x)|]")]
    [InlineData("[|((IGive)two).Through(x)|]")]
    public void ThroughInterfaces(string forward) => LeavingModel.Refuses(LeavingModel.Source(forward, "private readonly Two two = new(); private readonly IStep step = new Two();") + """

        public partial class Two : Module<Tensor, Tensor>, IStep, IGive
        {
            private readonly Linear q_proj = Linear(4, 4);

            public Two() : base("two") => RegisterComponents();

            Linear IGive.Layer => q_proj;

            Tensor IStep.Step(Tensor x) => q_proj.forward(x);

            Tensor IStep.this[int i, Tensor x] => q_proj.forward(x);

            Tensor IStep.Last => q_proj.forward(torch.ones(4));

            public override Tensor forward(Tensor x) => q_proj.forward(x);
        }
        """);

    [Fact]
    public void DisposeAfterUsing() => LeavingModel.Refuses(LeavingModel.Source("Use(x)", "private readonly Scope scope = new(); private Tensor Use(Tensor x) { using (var s = [|scope|]) return s.forward(x); }") + """

        public partial class Scope : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4);

            public Scope() : base("scope") => RegisterComponents();

            public override Tensor forward(Tensor x) => q_proj.forward(x);

            protected override void Dispose(bool disposing) { q_proj.forward(torch.ones(4)); base.Dispose(disposing); }
        }
        """);

    private const string Library = """
        namespace Library;

        public abstract class Driven : Module<Tensor, Tensor>
        {
            protected Driven() : base("driven") { }

            public override Tensor forward(Tensor x) => Core(x);

            protected abstract Tensor Core(Tensor x);
        }

        public abstract class Helped : Module<Tensor, Tensor>
        {
            protected Helped() : base("helped") { }

            public virtual Tensor Encode(Tensor x) => x;

            public Tensor EncodeTwice(Tensor x) => Encode(Encode(x));
        }

        public static class Engine
        {
            public static Tensor Go(Module<Tensor, Tensor> module, Tensor x) => module.forward(x);

            public static void Log(object what) { }
        }

        public interface IDriven { Tensor Drive(Tensor x); }
        """;

    [Theory]
    [InlineData("PG052", "Library.Driven", "protected override Tensor [|Core|](Tensor x) => Encode(x); public Tensor Encode(Tensor x) => q_proj.forward(x);")]
    [InlineData("PG051", "Library.Helped", "public override Tensor forward(Tensor x) => q_proj.forward(x); public override Tensor [|Encode|](Tensor x) => q_proj.forward(x);")]
    [InlineData("PG010", "Library.Helped", "public override Tensor forward(Tensor x) => q_proj.forward(x) + [|Library.Engine.Go(q_proj, x)|];")]
    [InlineData("PG010", "Library.Helped", "public override Tensor forward(Tensor x) => q_proj.forward(x) + [|Library.Engine.Go(this, x)|];")]
    [InlineData(null, "Library.Helped", "public override Tensor forward(Tensor x) { Library.Engine.Log(q_proj); return q_proj.forward(x); }")]
    [InlineData("PG010", "Library.Helped, Library.IDriven", "Tensor Library.IDriven.Drive(Tensor x) => q_proj.forward(x); public override Tensor forward(Tensor x) => q_proj.forward(x) + [|((Library.IDriven)this).Drive(x)|];")]
    public void OfLibraries(string? id, string @base, string members)
    {
        var marked = $$"""
            [Scale(targets: "q_proj")]
            public partial class Model : {{@base}}
            {
                private readonly Linear q_proj = Linear(4, 4);

                public Model() => RegisterComponents();

                {{members}}
            }
            """;
        var source = marked.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal);
        var generated = Generated.From(Project.Of(source).AddReferences(Project.Library(Library)));
        Assert.Equal(id is null ? [] : [$"{id} at {marked.IndexOf("[|", StringComparison.Ordinal)}"], generated.Reported.Select(d => $"{d.Id} at {d.Location.SourceSpan.Start}"));
    }
}
