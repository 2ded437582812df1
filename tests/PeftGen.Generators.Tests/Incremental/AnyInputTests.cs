using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>Whatever stands in a project, the generator ends soon and throws nothing: code that is half typed, broken, or of unusual size.</summary>
public class AnyInputTests
{
    private static readonly string _models = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "..", "..", "..", "samples", "Models"));

    private const string Root = """
        [Scale(targets: "fc"), BitFit("bias"), Touch(Residuals = "inner", Outputs = "**", Inputs = true, Group = "other")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor input_ids) => fc.forward(input_ids);
        }
        """;

    public static TheoryData<string> Inputs =>
    [
        // Classes that lead back to themselves, also where that is no C#.
        "public class A : B { } public class B : A { }",
        "public partial class A : A { }",
        "public partial class A<T> : A<A<T>> { A<A<A<T>>> next; }",
        "public partial class A<T> : Module<Tensor, Tensor> where T : A<A<T>> { A<A<A<T>>> next; T one; List<T> many; public A() : base(\"\") { } public override Tensor forward(Tensor x) => next.forward(x); }",
        "public partial class A<T, U> : Module<Tensor, Tensor> where T : U where U : T { T one; U two; public A() : base(\"\") { } public override Tensor forward(Tensor x) => one.forward(x); }",
        "public partial class A : Module<A, A> { A[][] many; Dictionary<string, List<A>> more; (A, A) pair; public A() : base(\"\") { } public override A forward(A x) => many[0][0].forward(x); }",
        "public partial class A : Module<Tensor, Tensor> { Tensor P => Q; Tensor Q => P; A R => S; A S => R; public A() : base(\"\") { } public override Tensor forward(Tensor x) => R.forward(P + Q); }",
        "public partial class A : Module<Tensor, Tensor> { A Self { get => Self; set => Self = value; } public A() : base(\"\") { Self = this; } public override Tensor forward(Tensor x) => Self.forward(Self.Self.forward(x)); }",
        "public partial class A : Module<Tensor, Tensor> { public A() : base(\"\") { } Tensor F(Tensor x) => G(x); Tensor G(Tensor x) => F(x); public override Tensor forward(Tensor x) => F(G(x)); }",
        // Code that is not finished.
        "public partial class A : Module<Tensor, Tensor> {",
        "public partial class A : Module<Tensor, Tensor { private readonly Linear fc = Linear(4, ; public override Tensor forward(Tensor x) => fc.for",
        "[LoRA(] public partial class A : Module<Tensor, Tensor> { }",
        "[LoRA(rank: , targets: )] public partial class A : Module<Tensor, Tensor> { }",
        "[LoRA(rank: \"four\", targets: 4)] public partial class A : Module<Tensor, Tensor> { }",
        "[LoRA(targets: new[] { \"q\" })] public partial class A : Module<Tensor, Tensor> { }",
        "[LoRA(Rank = 4, Nothing = 5)] public partial class A : Module<Tensor, Tensor> { }",
        "[LoRA] public partial class : Module<Tensor, Tensor> { }",
        "[LoRA] [LoRA] [LoRA public partial class A { }",
        "[LoRA(targets: Unknown.Name)] public partial class A : Unknown<Tensor> { Unknown field; Linear; public override Tensor forward(Unknown x) => field.forward(x) + ; }",
        "[LoRA(targets: \"regex:(.+)+!\"), LoRA(targets: \"**.**.**.**.**.a\")] public partial class A : Module<Tensor, Tensor> { Linear fc = Linear(4, 4); public A() : base(\"\") { } public override Tensor forward(Tensor x) => fc.forward(x); }",
        "#if X\n[LoRA]\n#else\n[LoRA\n#endif\npublic partial class A { }",
        "[BitFit] public partial class A : Module<Tensor, Tensor> { Linear a, a; Linear forward; public A() : base(\"\") { } public override Tensor forward(Tensor x) => a.forward(x); public override Tensor forward(Tensor x) => x; }",
        "[BitFit] public partial class A : Module<Tensor, Tensor> { [Name(null)] Linear a; [Name(\"\")] Linear b; [Fused(null)] Linear c; [Fused] Linear d; public A() : base(\"\") { } public override Tensor forward([Input((InputRole)99)] Tensor x) => a.forward(x); }",
        "[Scale(targets: \"a\", Group = null), Scale(targets: \"a\", Group = \"\"), Scale(targets: \"a\", Group = \"1 2\")] public partial class A : Module<Tensor, Tensor> { Linear a; public A() : base(\"\") { } public override Tensor forward(Tensor x) => a.forward(x); }",
        "[LoRA(targets: \"a\", Layers = null, RankPattern = null, Exclude = null, Bias = (LoRABias)long.MaxValue)] public partial class A : Module<Tensor, Tensor> { Linear a; public A() : base(\"\") { } public override Tensor forward(Tensor x) => a.forward(x); }",
        "\0\uFFFF\uD800[LoRA]\u202Eclass",
        "",
    ];

    [Theory]
    [MemberData(nameof(Inputs))]
    public void EndsAndThrowsNothing(string text) => Run([("Model.cs", Root), ("Other.cs", text)]);

    [Fact]
    public void LongSums() => Run([("Model.cs", Body($"return {string.Join(" + ", Enumerable.Repeat("fc.forward(x)", 1000))};"))]);

    [Fact]
    public void LongSumsOfVariables() => Run([("Model.cs", Body($"var y = fc.forward(x); return {string.Join(" + ", Enumerable.Repeat("y", 1000))};"))]);

    [Fact]
    public void DeepCalls() => Run([("Model.cs", Body($"return {string.Concat(Enumerable.Repeat("fc.forward(", 200))}x{new string(')', 200)};"))]);

    [Fact]
    public void DeepParentheses() => Run([("Model.cs", Body($"return {new string('(', 300)}fc.forward(x){new string(')', 300)};"))]);

    [Fact]
    public void ManyStatements() => Run([("Model.cs", Body(string.Concat(Enumerable.Range(0, 300).Select(i => $"x = x + fc.forward(x);\n")) + "return x;"))]);

    [Fact]
    public void ManyVariables() => Run([("Model.cs", Body(string.Concat(Enumerable.Range(0, 200).Select(i => $"var y{i} = {(i == 0 ? "x" : $"y{i - 1}")} + fc.forward({(i == 0 ? "x" : $"y{i - 1}")});\n")) + "return y199;"))]);

    [Fact]
    public void LongChainsOfHelpers() => Run([("Model.cs", Body("return F0(x);", string.Concat(Enumerable.Range(0, 500).Select(i => $"Tensor F{i}(Tensor x) => {(i == 499 ? "fc.forward(x)" : $"F{i + 1}(x)")};\n"))))]);

    [Fact]
    public void LongChainsOfClasses() => Run([("Model.cs", Root), ("Other.cs", string.Concat(Enumerable.Range(0, 600).Select(i => Class(i, i == 599 ? "Linear" : $"C{i + 1}", "[BitFit]"))))]);

    /// <summary>Classes of which each holds all others: the paths are beyond number.</summary>
    [Fact]
    public void ClassesThatHoldEachOther()
    {
        var classes = string.Concat(Enumerable.Range(0, 12).Select(i => $$"""
            {{(i == 0 ? "[Scale(targets: \"fc0,a.b.c.d.e.f.g.h.i.j\")]" : "")}}
            public partial class C{{i}} : Module<Tensor, Tensor>
            {
                private readonly Linear fc{{i}} = Linear(4, 4);
                {{string.Concat(Enumerable.Range(0, 12).Select(j => $"private readonly C{j}? c{j};\n"))}}
                public C{{i}}() : base("c") { RegisterComponents(); }
                public override Tensor forward(Tensor x) => fc{{i}}.forward({{string.Join(" + ", Enumerable.Range(0, 12).Select(j => $"(c{j} is null ? x : c{j}.forward(x))"))}});
            }
            """));
        Run([("Model.cs", classes)]);
    }

    /// <summary>Each sample model, cut off and changed at places of chance, as it is while somebody types.</summary>
    [Theory]
    [InlineData("Llama")]
    [InlineData("Bert")]
    [InlineData("T5")]
    [InlineData("GPT2")]
    public void SamplesHalfTyped(string folder)
    {
        var files = Directory.EnumerateFiles(Path.Combine(_models, folder), "*.cs", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(f => (path: Path.GetFileName(f), text: File.ReadAllText(f))).ToList();
        var random = new Random(folder.Length);
        for (var i = 0; i < 25; i++)
        {
            var changed = files.Select(f => random.Next(2) == 0 ? f : (path: f.path, text: Mutate(f.text, random))).ToList();
            Run(changed.Append((path: "Root.cs", text: Root)));
        }
    }

    private static string Mutate(string text, Random random)
    {
        var result = new StringBuilder(text);
        for (var times = random.Next(1, 4); times > 0 && result.Length > 0; times--)
        {
            var (at, length) = (random.Next(result.Length), random.Next(1, 60));
            switch (random.Next(5))
            {
                case 0:
                    result.Length = at;
                    break;
                case 1:
                    result.Remove(at, Math.Min(length, result.Length - at));
                    break;
                case 2:
                    result.Insert(at, new[] { "{", "}", "(", ")", ";", "\"", "[LoRA(", "=>", "class ", ".", "forward", "#if ", "/*", "<", "null!" }[random.Next(15)]);
                    break;
                case 3:
                    result.Insert(at, result.ToString(random.Next(result.Length), 1) + text.Substring(Math.Min(at, text.Length - 1), Math.Min(length, text.Length - Math.Min(at, text.Length - 1))));
                    break;
                default:
                    result[at] = "(){};.,<>[]\"'=x"[random.Next(15)];
                    break;
            }
        }

        return result.ToString();
    }

    private static string Class(int i, string inner, string attribute) => $$"""
        {{(i == 0 ? attribute : "")}}
        public partial class C{{i}} : Module<Tensor, Tensor>
        {
            private readonly {{inner}} inner;
            public C{{i}}() : base("c") { inner = {{(inner == "Linear" ? "Linear(4, 4)" : "new()")}}; RegisterComponents(); }
            public override Tensor forward(Tensor x) => inner.forward(x);
        }
        """;

    private static string Body(string statements, string more = "") => $$"""
        [Scale(targets: "fc"), Touch(Residuals = "fc", Outputs = "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) { {{statements}} }
            {{more}}
        }
        """;

    private static void Run(IEnumerable<(string path, string text)> files)
    {
        var project = Project.Of(files);
        var clock = Stopwatch.StartNew();
        var result = Generated.NewDriver().RunGenerators(project, TestContext.Current.CancellationToken).GetRunResult();
        var took = clock.Elapsed;
        Assert.Null(result.Results.Single().Exception);
        Assert.DoesNotContain(result.Diagnostics, d => d.Id is "CS8784" or "CS8785");
        // Seconds on any machine; what hangs takes minutes, or all memory.
        Assert.True(took < TimeSpan.FromSeconds(30), $"the generator took {took}");
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
