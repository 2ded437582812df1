using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;

namespace PeftGen.Generators.Tests;

/// <summary>Code that is being typed is mostly wrong: the generator has to live through all of it.</summary>
public class FuzzTests
{
    private const int Edits = 2000, EditsInARow = 4;
    private static readonly string[] _typed = ["{", "}", "(", ")", "[", "]", "<", ">", ";", ",", ".", "?", "=>", "=", "\"", "\"\"\"", "'", "$\"{", "class", "partial", "this", "new", "static", "forward", "base", "x", "1", "/*", "#if", "using", "namespace A;", "where T :", "@"];

    [Theory]
    [InlineData("[LoRA(rank: 4, alpha: 8, targets: \"q,v\")]")]
    [InlineData("[IA3(targets: \"k,v,ffn_out\", Group = \"second\")]")]
    [InlineData("[Bottleneck(reduction: 2, targets: \"layers.*\"), LNTuning]")]
    [InlineData("[PrefixTuning(length: 4), TrainableTokens(new[] { 1, 2 })]")]
    [InlineData("[LNTuning, BitFit(\"fc1.bias\"), LoRA(2, targets: \"q,v\", RankPattern = \"q_proj=1\", LeaveOut = new[] { 0 }), Compacter(2, \"layers.*\", PhmDim = 2), PromptTuning(2, \"embed_tokens\"), PrefixTuning(2)]")]
    [InlineData("[Touch(Parameters = \"**\", Residuals = \"**\", Attentions = \"**\")]")]
    public void NothingThatIsTypedMakesItThrow(string attributes)
    {
        const int Rows = Edits / 6 / EditsInARow;
        // Not string.GetHashCode, which differs from run to run.
        var random = new Random(attributes.Sum(c => c));
        var source = attributes + "\n" + Model;
        var start = Project.Of(source);
        // What is edited is sound before.
        Generated.From(start).AssertCompiles();
        var failures = new List<string>();
        var whole = 0;
        for (var row = 0; row < Rows; row++)
        {
            var (text, project, driver) = (source, start, Generated.NewDriver());
            for (var i = 0; i < EditsInARow; i++)
            {
                text = Edit(text, random);
                project = project.ReplaceSyntaxTree(project.SyntaxTrees.Single(t => t.FilePath == "Model.cs"), Project.Parse("Model.cs", text));
                driver = driver.RunGenerators(project);
                var result = driver.GetRunResult();
                if (result.Results.Single().Exception is { } thrown)
                    failures.Add($"{thrown}\n{text}");
                if (project.SyntaxTrees.Single(t => t.FilePath == "Model.cs").GetDiagnostics().Any(d => d.Severity == DiagnosticSeverity.Error))
                    continue;
                whole++;
                failures.AddRange(result.GeneratedTrees.SelectMany(t => t.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error).Take(1).Select(d => $"{d}\n{t}\n{text}")));
            }
        }

        Assert.True(failures.Count == 0, $"{failures.Count} failures; the first:\n{failures.FirstOrDefault()}");
        // Some of the edits leave code that parses.
        Assert.True(whole > 5, $"only {whole} texts parsed");
    }

    private static string Edit(string text, Random random)
    {
        var tokens = CSharpSyntaxTree.ParseText(text, Project.ParseOptions).GetRoot().DescendantTokens().Where(t => t.Span.Length > 0).ToList();
        if (tokens.Count < 2)
            return text + _typed[random.Next(_typed.Length)];
        var (one, two) = (tokens[random.Next(tokens.Count)].Span, tokens[random.Next(tokens.Count)].Span);
        switch (random.Next(6))
        {
            case 0 or 1:
                return text.Remove(one.Start, one.Length);
            case 2:
                return text.Insert(one.Start, _typed[random.Next(_typed.Length)] + " ");
            case 3:
                return text.Insert(one.Start, text.Substring(two.Start, two.Length) + " ");
            case 4:
                // Also halves of strings and names.
                return text.Remove(one.Start + (one.Length / 2), one.Length - (one.Length / 2));
            default:
                var (first, last) = one.Start <= two.Start ? (one, two) : (two, one);
                return first == last ? text : text[..first.Start] + text[last.Start..last.End] + text[first.End..last.Start] + text[first.Start..first.End] + text[last.End..];
        }
    }

    private const string Model = """
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding embed_tokens = Embedding(16, 8);
            private readonly ModuleList<Layer> layers = ModuleList(new Layer(), new Layer());
            private readonly Sequential head = Sequential(("one", Linear(8, 8)), ("two", GELU()));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor input_ids)
            {
                var h = embed_tokens.forward(input_ids);
                foreach (var layer in layers)
                    h = layer.forward(h, flag: true);
                return head.call(h);
            }
        }

        public abstract partial class Part<T> : Module<Tensor, bool, Tensor> where T : Module<Tensor, Tensor>
        {
            protected readonly T inner;

            protected Part(T inner) : base("part") => this.inner = inner;

            protected virtual Tensor Run(Tensor x) => inner.forward(x);
        }

        public partial class Layer : Part<Mlp>
        {
            private readonly Linear q_proj = Linear(8, 8), k_proj = Linear(8, 8), v_proj = Linear(8, 8);
            private readonly LayerNorm norm = LayerNorm(8);
            private readonly Parameter gate = new(ones(8));

            public Layer() : base(new Mlp()) => RegisterComponents();

            public override Tensor forward(Tensor x, bool flag)
            {
                var (q, k, v) = (q_proj.forward(x), k_proj.forward(x), v_proj?.forward(x)!);
                Tensor? mask = null;
                (k, v, mask) = Attention.Attach(x, q, k, v, mask);
                var y = functional.scaled_dot_product_attention(q, k, v, mask) * gate;
                y = norm.forward(y + x);
                Func<Tensor, Tensor> again = t => this.Run(t);
                return flag ? Residual.Add(again(y), y) : base.Run(y);
            }
        }

        public partial class Mlp : Module<Tensor, Tensor>
        {
            [Name("fc1")] private readonly Linear up_proj = Linear(8, 8);
            private readonly Linear down_proj = Linear(8, 8);

            public Mlp() : base("mlp") => RegisterComponents();

            public override Tensor forward(Tensor x) => down_proj.forward(functional.relu(up_proj.forward(x)));
        }
        """;
}
