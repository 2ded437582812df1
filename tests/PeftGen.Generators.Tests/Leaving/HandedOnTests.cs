namespace PeftGen.Generators.Tests;

/// <summary>Modules, and objects that hold them, that are handed to code which is not compiled: it would run the base without a word.</summary>
public class HandedOnTests
{
    [Theory]
    [InlineData("[|Help.Run(q_proj, x)|]")]
    [InlineData("[|Help.Nested(q_proj, x)|]")]
    [InlineData("[|q_proj.Call(x)|]")]
    [InlineData("[|Help.RunAll(blocks, x)|]")]
    [InlineData("[|Help.RunAll(blocks.Select(b => b), x)|]")]
    [InlineData("[|Help.RunAll([q_proj, plain], x)|]")]
    [InlineData("[|Help.RunAll(new Module<Tensor, Tensor>[] { plain, q_proj }, x)|]")]
    [InlineData("[|Help.RunAll(new List<Module<Tensor, Tensor>> { q_proj }, x)|]")]
    [InlineData("[|Help.RunTuple((q_proj, 1), x)|]")]
    [InlineData("[|Help.RunObject(q_proj, x)|]")]
    [InlineData("[|Help.RunModule(q_proj, x)|]")]
    [InlineData("[|Help.RunModule(this, x)|]")]
    [InlineData("((Func<Tensor, Tensor>)[|q_proj.Call|])(x)")]
    [InlineData("[|Help.RunParams(x, plain, q_proj)|]")]
    [InlineData("[|Help.RunOf(() => q_proj, x)|]")]
    [InlineData("[|Help.RunDynamic(q_proj, x)|]")]
    [InlineData("[|Help.Generic(q_proj, x)|]")]
    [InlineData("[|Help.Generic(block, x)|]")]
    [InlineData("[|Help.Generic(this.q_proj!, x)|]")]
    [InlineData("[|Help.Later(q_proj)(x)|]")]
    [InlineData("[|Help.Lambda(q_proj)(x)|]")]
    [InlineData("[|Help.Each(q_proj, x)|].First()")]
    [InlineData("[|Help.RunAsync(q_proj, x)|].Result")]
    [InlineData("[|Help.Inner(block, x)|]")]
    [InlineData("[|Help.Inner(blocks[0], x)|]")]
    [InlineData("[|Help.Deep(this, x)|]")]
    [InlineData("[|new Runner(q_proj).Run(x)|]")]
    [InlineData("[|((IRun)new Runner(q_proj)).Run(x)|]")]
    [InlineData("[|new Runner(q_proj)[x]|]")]
    [InlineData("[|new Runner(q_proj) + x|]")]
    [InlineData("[|new Pair(q_proj, 1).Run(x)|]")]
    [InlineData("[|new Cell { Layer = q_proj }.Run(x)|]")]
    [InlineData("[|new Box { Layer = q_proj }.Run(x)|]")]
    [InlineData("[|new Box { Any = block }.Run(x)|]")]
    [InlineData("[|new Sampler(this).Run(x)|]")]
    [InlineData("[|Help.Wrap(q_proj).Run(x)|]")]
    [InlineData("[|Sequential(q_proj, ReLU()).forward(x)|]")]
    [InlineData("[|Sequential((\"a\", q_proj), (\"b\", ReLU())).call(x)|]")]
    [InlineData("[|block.Run(q_proj, x)|]")]
    [InlineData("[|blocks[0].q_proj.forward(x)|]")]
    [InlineData("[|Help.Weigh(q_proj, x)|]")]
    [InlineData("[|Help.Weights(q_proj, x)|]")]
    [InlineData("[|Help.Weights(this, x)|]")]
    [InlineData("[|functional.linear(x, Help.WeightOf(q_proj))|]")]
    [InlineData("[|functional.linear(x, q_proj.get_parameter(\"weight\")!)|]")]
    [InlineData("[|functional.linear(x, q_proj.parameters().First())|]")]
    [InlineData("[|functional.linear(x, parameters().First())|]")]
    [InlineData("[|functional.linear(x, q_proj.state_dict()[\"weight\"])|]")]
    [InlineData("[|functional.linear(x, named_parameters().First().parameter)|]")]
    [InlineData("[|parameters().First() * x|]")]
    [InlineData("[|parameters().First().sum()|]")]
    public void InForward(string forward) => LeavingModel.Refuses(LeavingModel.Source(forward));

    [Theory]
    [InlineData("var r = new Runner(q_proj); return [|r.Run(x)|];")]
    [InlineData("var b = new Box(); b.Layer = q_proj; return [|b.Run(x)|];")]
    [InlineData("Box b; b = new Box { Any = q_proj }; var c = b; return [|c.Run(x)|];")]
    [InlineData("var t = (q_proj, 1); return [|Help.RunTuple(t, x)|];")]
    [InlineData("object o = q_proj; return [|Help.RunObject(o, x)|];")]
    [InlineData("IRun r = new Runner(q_proj); return [|r.Run(x)|];")]
    [InlineData("var list = new List<Module<Tensor, Tensor>>(); list.Add(q_proj); return [|Help.RunAll(list, x)|];")]
    [InlineData("var s = Sequential(q_proj, plain); return [|s.forward(x)|];")]
    [InlineData("var f = [|new Runner(q_proj).Run|]; return [|f(x)|];")]
    [InlineData("foreach (var b in blocks) x = [|Help.Inner(b, x)|]; return x;")]
    [InlineData("if (this is { block: var b }) x = [|Help.Inner(b, x)|]; return x;")]
    [InlineData("var l = blocks[0].q_proj; return [|Help.Run(l, x)|];")]
    [InlineData("Box.Last = [|q_proj|]; return Box.RunLast(x);")]
    [InlineData("[|Box.All.Add(q_proj)|]; return Box.RunAll(x);")]
    [InlineData("[|Help.Keep(q_proj)|]; return Help.RunKept(x);")]
    [InlineData("Tensor Local(Linear l) => [|Help.Run(l, x)|]; return Local(q_proj);")]
    [InlineData("Func<Linear, Tensor> f = l => [|Help.Run(l, x)|]; return f(q_proj);")]
    [InlineData("var p = q_proj.get_parameter(\"weight\"); return [|functional.linear(x, p!)|];")]
    [InlineData("foreach (var p in parameters()) x = [|x + p.sum()|]; return x;", "p.sum()")]
    public void ThroughVariables(string body, string? mark = null) => LeavingModel.Refuses(LeavingModel.Source("Also(x)", $"private Tensor Also(Tensor x) {{ {(mark is null ? body : body.Replace("[|", "", StringComparison.Ordinal).Replace("|]", "", StringComparison.Ordinal).Replace(mark, $"[|{mark}|]", StringComparison.Ordinal))} }}"));

    [Theory]
    [InlineData("private readonly Sampler sampler;", "sampler = [|new Sampler(this)|];", "sampler.Run(x)")]
    [InlineData("private readonly Runner runner;", "runner = [|new Runner(q_proj)|];", "runner.Run(x)")]
    [InlineData("private readonly IRun runner;", "runner = [|new Runner(q_proj)|];", "runner.Run(x)")]
    [InlineData("private readonly Box box = new();", "box.Layer = [|q_proj|];", "box.Run(x)")]
    [InlineData("private readonly Box box;", "box = [|new Box { Layer = q_proj }|];", "box.Run(x)")]
    [InlineData("private readonly List<Runner> runners = [];", "runners.Add([|new Runner(q_proj)|]);", "runners[0].Run(x)")]
    [InlineData("private readonly Linear again;", "again = [|q_proj|];", "again.forward(x)")]
    [InlineData("private readonly Sequential steps;", "steps = [|Sequential(q_proj, ReLU())|];", "steps.forward(x)")]
    [InlineData("private readonly Tensor kept;", "kept = [|q_proj.weight|]!;", "functional.linear(x, kept)")]
    [InlineData("private readonly Tensor kept;", "kept = [|q_proj.weight|]!;", "matmul(x, this.kept.t())")]
    [InlineData("private Tensor? kept; private Tensor Use(Tensor x) { kept ??= [|q_proj.get_parameter(\"weight\")|]; return functional.linear(x, kept!); }", "", "Use(x)")]
    [InlineData("private Func<Tensor, Tensor>? kept;", "", "(kept ??= [|q_proj.forward|])(x)")]
    [InlineData("private Func<Tensor, Tensor>? kept;", "", "(kept ??= [|y => q_proj.forward(y)|])(x)")]
    [InlineData("private Lazy<Tensor>? kept;", "", "(kept ??= [|new Lazy<Tensor>(() => q_proj.forward(x))|]).Value")]
    [InlineData("private event Func<Tensor, Tensor>? Ran; private Tensor Tell(Tensor x) { Ran += [|q_proj.forward|]; return Ran!(x); }", "", "Tell(x)")]
    [InlineData("private static readonly Func<Linear, Tensor, Tensor> run = (l, x) => l.forward(x);", "", "[|run(q_proj, x)|]")]
    [InlineData("private Box box = new(); private Tensor Set(Tensor x) { box.Layer = [|q_proj|]; return box.Run(x); }", "", "Set(x)")]
    [InlineData("private readonly Head head;", "head = [|new Head(q_proj)|];", "head.forward(x)")]
    public void KeptInFields(string members, string constructor, string forward) => LeavingModel.Refuses(LeavingModel.Source(forward, members, constructor) + """

        public partial class Head : Module<Tensor, Tensor>
        {
            private readonly Linear shared;

            public Head(Linear shared) : base("head") { this.shared = shared; RegisterComponents(); }

            public override Tensor forward(Tensor x) => shared.forward(x);
        }
        """);

    [Theory]
    [InlineData("x * Help.Name(q_proj).Length + Help.Name(this).Length")]
    [InlineData("x * Help.Rows(q_proj)")]
    [InlineData("x.to(Help.On(this))")]
    [InlineData("x * Help.Count(this)")]
    [InlineData("Help.IsWide(q_proj) ? x : x * 2")]
    [InlineData("Help.Run(plain, x)")]
    [InlineData("Help.Other(block, x)")]
    [InlineData("new Runner(plain).Run(x)")]
    [InlineData("Sequential(plain, ReLU()).forward(x)")]
    [InlineData("Help.Same(q_proj).forward(x)")]
    [InlineData("Same(q_proj).forward(x)")]
    [InlineData("x.to(parameters().First().device).to(parameters().First().dtype)")]
    [InlineData("x * parameters().Count() + named_children().Count()")]
    [InlineData("x * q_proj.weight!.shape[0] + (q_proj.training ? 1 : 0)")]
    [InlineData("x * new Box().Count(q_proj)")]
    [InlineData("x * $\"{q_proj.GetName()}\".Length")]
    [InlineData("x * block.Describe().Length * block.Width")]
    [InlineData("ReferenceEquals(q_proj, plain) || q_proj is null ? x : x * 2")]
    [InlineData("new[] { q_proj, plain }.Aggregate(x, (y, l) => l.forward(y))")]
    [InlineData("new List<Linear> { q_proj }[0].forward(x)")]
    [InlineData("(q_proj, 1).Item1.forward(x)")]
    [InlineData("((Func<Linear, Tensor>)(l => l.forward(x)))(q_proj)")]
    [InlineData("new Lazy<Tensor>(() => q_proj.forward(x)).Value")]
    [InlineData("new Dictionary<string, Linear> { [\"a\"] = q_proj }[\"a\"].forward(x)")]
    [InlineData("Twice(q_proj.forward, x)")]
    [InlineData("functional.linear(x, W(q_proj))")]
    public void WhatIsFollowedOrHarmless(string forward)
    {
        var generated = Generated.From(LeavingModel.Source(forward, """
            private readonly List<string> names = [];
            private IReadOnlyList<Tensor>? outputs;

            public void Remember(Tensor x) => outputs = new[] { x }.Select(y => q_proj.forward(y)).ToList();

            private readonly Sampler sampler;
            private readonly Box box;

            private static Linear Same(Linear layer) => layer;

            private static Tensor Twice(Func<Tensor, Tensor> f, Tensor x) => f(f(x));

            private static Tensor W(Linear layer) => layer.weight!;

            public void Freeze() { Help.Freeze(this); foreach (var p in parameters()) p.requires_grad = false; }

            public double Norm() => parameters().Sum(p => p.norm().item<double>());

            public string Named => sampler.Name + box.Count(q_proj);
            """, "names.Add(q_proj.GetName()); Help.Start(q_proj); Help.Freeze(this); sampler = new Sampler(this); box = new Box(); var l = Linear(4, 4); Console.WriteLine(this); Console.WriteLine(q_proj);"));
        Assert.Empty(generated.AssertCompiles().Reported.Where(d => d.Id is not ("PG014" or "PG015")));
        var assembly = RunningModel.Load(generated);
        dynamic model = Activator.CreateInstance(assembly.GetType("Model")!)!;
        using var x = TorchSharp.torch.ones(2, 4);
        var adapter = model.CreateAdapter();
        TorchSharp.torch.Tensor adapted = model.forward(adapter, x), plain = model.forward(x);
        Assert.True(adapted.allclose(plain));
    }
}
