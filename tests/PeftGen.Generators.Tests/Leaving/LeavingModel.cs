using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>A small model into which snippets are put, and code of others that runs what it is handed.</summary>
internal static class LeavingModel
{
    private const string Others = """
        public interface IRun { Tensor Run(Tensor x); }

        public interface IGive { Linear Layer { get; } Tensor Through(Tensor x) => Layer.forward(x); }

        public interface IStep { Tensor Step(Tensor x); Tensor Twice(Tensor x) => Step(Step(x)); Tensor this[int i, Tensor x] { get; } Tensor Last { get; } }

        public class Runner(Linear layer) : IRun
        {
            public Tensor Run(Tensor x) => layer.forward(x);

            public Tensor this[Tensor x] => layer.forward(x);

            public static Tensor operator +(Runner runner, Tensor x) => runner.Run(x);
        }

        public record Pair(Linear Layer, int Times)
        {
            public Tensor Run(Tensor x) => Layer.forward(x);
        }

        public struct Cell { public Linear Layer; public readonly Tensor Run(Tensor x) => Layer.forward(x); }

        public class Box
        {
            public Linear? Layer;

            public static Linear? Last;

            public static readonly List<Module> All = [];

            public Module? Any { get; set; }

            public Tensor Run(Tensor x) => ((Module<Tensor, Tensor>?)Any ?? Layer)!.forward(x);

            public static Tensor RunLast(Tensor x) => Last!.forward(x);

            public static Tensor RunAll(Tensor x) => All.OfType<Linear>().Aggregate(x, (y, l) => l.forward(y));

            public int Count(Linear layer) => layer.GetName().Length;
        }

        public class Sampler(Model model)
        {
            public Tensor Run(Tensor x) => model.Core(x);

            public string Name => model.GetName();
        }

        public static class Help
        {
            private static Linear? kept;

            public static Tensor Run(Linear layer, Tensor x) => layer.forward(x);

            public static Tensor Nested(Linear layer, Tensor x) { var l = layer; return Run(l, x); }

            public static Tensor Call(this Module<Tensor, Tensor> module, Tensor x) => module.call(x);

            public static Tensor RunAll(IEnumerable<Module<Tensor, Tensor>> modules, Tensor x) { foreach (var m in modules) x = m.forward(x); return x; }

            public static Tensor RunTuple((Linear layer, int times) pair, Tensor x) => pair.layer.forward(x);

            public static Tensor RunObject(object module, Tensor x) => module is Linear layer ? layer.forward(x) : x;

            public static Tensor RunModule(Module module, Tensor x) => module switch { Linear l => l.forward(x), _ => x };

            public static Tensor RunParams(Tensor x, params Linear[] layers) => layers[0].forward(x);

            public static Tensor RunOf(Func<Linear> layer, Tensor x) => layer().forward(x);

            public static Tensor RunDynamic(dynamic layer, Tensor x) => layer.forward(x);

            public static Tensor Generic<T>(T module, Tensor x) where T : Module<Tensor, Tensor> => module.forward(x);

            public static Func<Tensor, Tensor> Later(Linear layer) => layer.forward;

            public static Func<Tensor, Tensor> Lambda(Linear layer) => x => layer.forward(x);

            public static IEnumerable<Tensor> Each(Linear layer, Tensor x) { yield return layer.forward(x); }

            public static async System.Threading.Tasks.Task<Tensor> RunAsync(Linear layer, Tensor x) { await System.Threading.Tasks.Task.Yield(); return layer.forward(x); }

            public static Tensor Weigh(Linear layer, Tensor x) => functional.linear(x, layer.weight!);

            public static Tensor WeightOf(Linear layer) => layer.weight!;

            public static Tensor Weights(Module module, Tensor x) => functional.linear(x, module.parameters().First());

            public static Linear Same(Linear layer) => layer;

            public static Runner Wrap(Linear layer) => new(layer);

            public static Tensor Inner(Block block, Tensor x) => block.q_proj.forward(x);

            public static Tensor Other(Block block, Tensor x) => block.other.forward(x);

            public static Tensor Deep(Module module, Tensor x) { foreach (var m in module.modules()) if (m is Linear l) x = l.forward(x); return x; }

            public static void Keep(Linear layer) => kept = layer;

            public static Tensor RunKept(Tensor x) => kept!.forward(x);

            public static string Name(Module module) => module.GetName() + module.training;

            public static long Rows(Linear layer) => layer.weight!.shape[0];

            public static void Freeze(Module module) { foreach (var p in module.parameters()) p.requires_grad = false; }

            public static long Count(Module module) => module.parameters().Sum(p => p.numel());

            public static Device On(Module module) => module.parameters().First().device;

            public static void Start(Linear layer) { init.uniform_(layer.weight!); using (no_grad()) layer.weight!.zero_(); }

            public static bool IsWide(Module<Tensor, Tensor>? module) => module is Linear { in_features: > 3 } && !ReferenceEquals(module, null);
        }

        public partial class Block : Module<Tensor, Tensor>
        {
            public readonly Linear q_proj = Linear(4, 4), other = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => q_proj.forward(x);

            public Tensor Run(Linear layer, Tensor x) => layer.forward(x);

            public string Describe() => GetName();

            public Tensor Projected => q_proj.forward(torch.ones(4));

            public int Width => 4;
        }
        """;

    /// <summary>The source of a model.</summary>
    /// <param name="forward">What its forward adds to the target's output.</param>
    /// <param name="members">Further members.</param>
    /// <param name="constructor">What its constructor does before it registers.</param>
    public static string Source(string forward, string members = "", string constructor = "") => $$"""
        {{Others}}

        [Scale(targets: "q_proj")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4), plain = Linear(4, 4);
            private readonly Block block = new();
            private readonly ModuleList<Block> blocks = ModuleList(new Block());
            {{members}}

            public Model() : base("model") { {{constructor}} RegisterComponents(); }

            public override Tensor forward(Tensor x) => Core(x) + plain.forward(blocks[0].forward(block.forward(x))) + ({{forward}});

            public Tensor Core(Tensor x) => q_proj.forward(x);
        }
        """;

    /// <summary>Checks that exactly the marked code is refused.</summary>
    public static void Refuses(string marked, string id = "PG010")
    {
        var source = marked.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal);
        var generated = Generated.From(source);
        var told = generated.Reported.Where(d => d.Id is "PG010" or "PG035" or "PG051" or "PG052").ToList();
        var marks = new List<string>();
        for (var (open, at) = (marked.IndexOf("[|", StringComparison.Ordinal), 0); open >= 0; open = marked.IndexOf("[|", at, StringComparison.Ordinal))
        {
            at = marked.IndexOf("|]", open, StringComparison.Ordinal);
            marks.Add($"{id} at {open - (4 * marks.Count)}: {marked[(open + 2)..at]}");
        }

        Assert.NotEmpty(marks);
        Assert.Equal(marks, told.Select(d => $"{d.Id} at {d.Location.SourceSpan.Start}: {source[d.Location.SourceSpan.Start..d.Location.SourceSpan.End]}"));
        Assert.Empty(generated.CompilerDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error));
    }
}
