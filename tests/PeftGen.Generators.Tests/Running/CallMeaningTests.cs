using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp.Syntax;

namespace PeftGen.Generators.Tests;

/// <summary>A call that the user's code has means the same with and without what is emitted.</summary>
public class CallMeaningTests
{
    private const string Model = """
        public class Reader
        {
            public Tensor Read(Net m, Derived d, Plain p, Tensor? v, Tensor mask, dynamic any)
            {
                var shape = m.forward(null, mask, v);
                shape = m.forward(default, default, v);
                shape = m.forward(default(Tensor), null, null);
                shape = m.forward(v);
                shape = m.forward(v, mask);
                shape = m.forward(v, inputs_embeds: null);
                shape = m.forward(inputs_embeds: v, input_ids: null);
                shape = m.forward(attention_mask: mask, input_ids: v, inputs_embeds: mask);
                shape = m.forward(v is null ? null : v, null);
                shape = m.forward((null as Tensor)!, null);
                shape = m.call(null, mask, v);
                shape = m.call(null, null, null);
                shape = m.forward(any);
                shape = m.forward(null, any);
                shape = m.forward(null, any, v);
                shape = m.Mix(null, null);
                shape = m.Mix(null, 2);
                shape = m.Mix(mask, 2L);
                shape = m.Mix(mask);
                shape = m.Mix(null!);
                shape = m.Mix<Tensor>(mask, mask);
                shape = m.Mix<Linear>(mask, null!);
                shape = m.Sum();
                shape = m.Sum(null!);
                shape = m.Sum(null!, null!);
                shape = m.Sum(null!, null!, mask);
                shape = m.Sum([mask]);
                shape = d.forward(null, null, v);
                shape = d.Mix(null, 2);
                shape = p.forward(null, null, v);
                shape = p.call(null, null, v);
                shape = ((Module<Tensor?, Tensor?, Tensor?, Tensor>)m).forward(null, null, null);
                shape = m?.forward(null, mask, v);
                Func<Tensor?, Tensor?, Tensor?, Tensor> group = m!.forward;
                var natural = p.Only;
                Func<Tensor, long, Tensor> other = m.Mix;
                shape = group(null, null, v);
                foreach (var item in new[] { mask }.Select(m.One).Select(m.Only))
                    shape = item;
                shape = new[] { mask }.Select(x => m.forward(null, null, x)).First();
                shape = new[] { mask }.Aggregate(mask, m.Two);
                return shape + nameof(m.forward).Length + nameof(Net.Mix).Length;
            }
        }

        [Scale(targets: "fc")]
        public partial class Net : Module<Tensor?, Tensor?, Tensor?, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);
            private readonly Child child = new();

            public Net() : base(nameof(Net)) => RegisterComponents();

            public override Tensor forward(Tensor? input_ids, Tensor? attention_mask = null, Tensor? inputs_embeds = null) =>
                child.forward(null, null, fc.forward(inputs_embeds ?? input_ids!)) + child.Own(null, null);

            public Tensor FromVectors(Tensor v) => forward(null, null, v) + forward(default, null, v) + this.forward(null!, v) + Mix(null, null) + Mix(v, 2) + Sum(null!, null!, v) + forward(v);

            public Tensor Mix(Tensor? a, long by = 1) => fc.forward(a!) * by;

            public Tensor Mix(Tensor? a, Tensor? b) => fc.forward(a!) + b!;

            public Tensor Mix(object? a) => fc.forward((Tensor)a!);

            public Tensor Mix<T>(Tensor a, T b) where T : class => fc.forward(a) + b.ToString()!.Length;

            public Tensor Sum(params Tensor[] all) => fc.forward(all[^1]);

            public Tensor One(Tensor x) => fc.forward(x);

            public Tensor Two(Tensor x, Tensor y) => fc.forward(x) + y;

            public virtual Tensor Only(Tensor x) => fc.forward(x);
        }

        public partial class Child : Module<Tensor?, Tensor?, Tensor?, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Child() : base(nameof(Child)) => RegisterComponents();

            public override Tensor forward(Tensor? ids, Tensor? mask = null, Tensor? x = null) => fc.forward(x!);

            public Tensor Own(Child? other, object? context, Tensor? x = null) => x is null ? ones(1) : fc.forward(x);
        }

        public partial class Derived : Net
        {
            private readonly Linear fc = Linear(4, 4);

            public override Tensor forward(Tensor? input_ids, Tensor? attention_mask = null, Tensor? inputs_embeds = null) =>
                base.forward(null, null, inputs_embeds) + base.forward(null!, attention_mask) + fc.forward(inputs_embeds!) + Mix(null, null) + base.Mix(null, 1);

            public Tensor forward(object? any) => fc.forward((Tensor)any!);

            public Tensor Again(Tensor x) => forward(null) + forward(x) + forward(null, null, x) + base.forward(null);
        }

        public sealed class Plain : Net
        {
            public override Tensor Only(Tensor x) => base.Only(x) + forward(null, null, x) + base.forward(null, x, null) + Sum(null!, x);
        }
        """;

    [Fact]
    public void EveryNameMeansWhatItMeant()
    {
        var project = Project.Of(Model);
        var (without, with) = (NamesIn(project), NamesIn(Generated.From(project).AssertCompiles().Compilation));
        Assert.True(without.Count > 300, $"{without.Count} names");
        Assert.Equal(without, with);
    }

    /// <summary>What each name and call of the user's file is bound to.</summary>
    private static List<string> NamesIn(Compilation compilation)
    {
        var tree = compilation.SyntaxTrees.Single(t => t.FilePath == "Model.cs");
        Assert.Empty(compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error));
        var model = compilation.GetSemanticModel(tree);
        return [.. tree.GetRoot().DescendantNodes().Where(node => node is SimpleNameSyntax or InvocationExpressionSyntax).Select(Describe)];

        string Describe(SyntaxNode node)
        {
            var found = model.GetSymbolInfo(node);
            var symbols = found.Symbol is { } symbol ? symbol.ToDisplayString() : string.Join(" or ", found.CandidateSymbols.Select(s => s.ToDisplayString()).Where(s => !s.Contains("TModel", StringComparison.Ordinal)).Order());
            return $"{node.GetLocation().GetLineSpan().StartLinePosition.Line}: {node.ToString().Replace("\n", "", StringComparison.Ordinal)} {symbols}";
        }
    }

    [Fact]
    public void NullBeforeTheVectors() => RunningModel.Check("""
        [Scale(targets: "fc,own")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Decoder decoder = new();
            private readonly Linear own = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => decoder.forward(null, null, own.forward(x), x) + decoder.call(null, null, x, null) + decoder.FromVectors(x);
        }

        public partial class Decoder : Module<Tensor?, Tensor?, Tensor?, Tensor?, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Decoder() : base("decoder") => RegisterComponents();

            public override Tensor forward(Tensor? ids = null, Tensor? mask = null, Tensor? x = null, Tensor? y = null) => fc.forward(x!) + (y ?? x!);

            public Tensor FromVectors(Tensor x) => forward(null, null, x) + forward(x: x);
        }
        """, "decoder.fc", "own");

    [Fact]
    public void OverloadsBesideAnOverride() => RunningModel.Check("""
        [Scale(targets: "fc,own")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4), own = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            // C# passes the override over where this one would do: so it is what the call below means, with an adapter, too.
            public Tensor forward(object x) => own.forward((Tensor)x) * 3 + fc.forward((Tensor)x);

            public override Tensor forward(Tensor x) => fc.forward(x) + Twice(x);

            private Tensor Twice(Tensor x) => forward(x) * forward((object)x);
        }
        """, "fc", "own");
}
