namespace PeftGen.Generators.Tests;

/// <summary>Ways to call a child.</summary>
public class CallFormTests
{
    [Fact]
    public void FieldsAndAutoProperties() => RunningModel.Check("""
        [Scale(targets: "first,Second,third")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear first = Linear(4, 4);
            public Linear Second { get; } = Linear(4, 4);
            internal Linear third;

            public Model() : base("model") { third = Linear(4, 4, hasBias: false); RegisterComponents(); }

            public override Tensor forward(Tensor x) => third.forward(this.Second.forward((first).forward(x)));
        }
        """, "first", "Second", "third");

    [Fact]
    public void CallWithHooks()
    {
        var running = RunningModel.Check("""
            public partial class Inner : Module<Tensor, Tensor>
            {
                private readonly Linear q = Linear(4, 4);

                public Inner() : base("inner") => RegisterComponents();

                public override Tensor forward(Tensor result) => q.call(result);
            }

            public partial class Mixed : Module<Tensor, Tensor?, Tensor>
            {
                private readonly Linear v = Linear(4, 4);

                public Mixed() : base("mixed") => RegisterComponents();

                public override Tensor forward(Tensor x, Tensor? changed = null) => v.call(changed is null ? x : x + changed);
            }

            [Scale]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Inner inner = new();
                private readonly Mixed mixed = new();
                public int Before, After;

                public Model() : base("model")
                {
                    RegisterComponents();
                    inner.register_forward_pre_hook((_, x) => { Before++; return x * 2; });
                    inner.register_forward_hook((_, x, y) => { After++; return y + x; });
                    mixed.register_forward_pre_hook((_, a, b) => (a + 1, b));
                }

                public override Tensor forward(Tensor x) => mixed.call(inner.call(x), x);
            }
            """, "inner.q", "mixed.v");
        Assert.Equal(running.Model.Before, running.Model.After);
        var before = (int)running.Model.Before;
        running.Adapted();
        Assert.Equal(before + 1, running.Model.Before);
    }

    [Fact]
    public void CastsNullabilityAndConditionals() => RunningModel.Check("""
        public partial class Inner : Module<Tensor, Tensor>
        {
            public readonly Linear proj = Linear(4, 4);

            public Inner() : base("inner") => RegisterComponents();

            public override Tensor forward(Tensor x) => proj.forward(x);
        }

        [Scale(targets: "proj,last,maybe")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Module inner = new Inner();
            private readonly Module<Tensor, Tensor> last = Linear(4, 4);
            private readonly Linear? maybe = Linear(4, 4), missing = null;
            private readonly Inner? optional = new(), absent = null;

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var y = ((Module<Tensor, Tensor>)last).forward(x);
                y = optional!.forward(y);
                y = absent?.forward(y) ?? y;
                if (missing is not null)
                    y = missing.forward(y);
                if (optional is { } there)
                    y = there.forward(y);
                y = ((Inner)inner).forward(y);
                return maybe is null ? y : maybe!.forward(((Linear)optional.proj).forward(y));
            }
        }
        """, "inner.proj", "last", "maybe", "optional.proj");

    [Fact]
    public void FluentCallsAndNamedArguments() => RunningModel.Check("""
        [Scale(targets: "a,b,c")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear a = Linear(4, 4), b = Linear(4, 4), c = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                return a // the first
                    .forward(
                        tensor: b.
                            forward(x)) // and the second
                    .relu()
                    .add(this
                        .c
                        .forward(tensor : x));
            }
        }
        """, "a", "b", "c");

    [Fact]
    public void Lambdas() => RunningModel.Check("""
        [Scale(targets: "heads.*,gate")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Linear> heads = ModuleList(Linear(4, 4), Linear(4, 4));
            private readonly Linear gate = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var all = heads.Select(h => h.forward(x)).Zip(heads, (y, h) => y + h.forward(y)).ToArray();
                Func<Tensor, Tensor> gated = t => { var g = gate.forward(t); return t * g.sigmoid(); };
                Tensor Local(Tensor t) => gate.forward(t) + t;
                return gated(Local(stack(all).mean([0])));
            }
        }
        """, "heads.0", "heads.1", "gate");

    [Fact]
    public void HelperMethods() => RunningModel.Check("""
        [Scale(targets: "a,b")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear a = Linear(4, 4), b = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                Split(x, out var left, out _);
                var sum = zeros_like(left);
                Accumulate(ref sum, left);
                return this.Merge(Plain(sum), scale: 2, left, x);
            }

            private void Split(in Tensor x, out Tensor left, out Tensor right) { left = a.forward(x); right = x; }

            private void Accumulate(ref Tensor sum, Tensor x) => sum = sum + b.forward(x);

            private Tensor Merge(Tensor first, double scale = 1, params Tensor[] rest) => Twice(t => a.forward(t), rest.Aggregate(first, (s, r) => s + r * scale));

            private static T Twice<T>(Func<T, T> f, T x) where T : class => f(f(x));

            private static Tensor Plain(Tensor x) => x + 1;
        }
        """, "a", "b");

    [Fact]
    public void TuplesOptionalArgumentsAndPatterns() => RunningModel.Check("""
        public partial class Gru : Module<Tensor, Tensor?, (Tensor output, Tensor state)>
        {
            private readonly Linear cell = Linear(4, 4);

            public Gru() : base("gru") => RegisterComponents();

            public override (Tensor output, Tensor state) forward(Tensor x, Tensor? state = null)
            {
                var s = cell.forward(state is { } old ? x + old : x);
                return (output: s + x, state: s);
            }
        }

        [Scale(targets: "cell,q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Gru gru = new();
            private readonly Linear q = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var (y, state) = gru.forward(x);
                (y, _) = gru.forward(y, state: state);
                return gru.forward(y) switch
                {
                    (var a, { } b) when a.shape.Length == 3 => q.forward(a + b),
                    _ => throw new InvalidOperationException(),
                };
            }
        }
        """, "gru.cell", "q");

    [Fact]
    public void DisposeScopesAndUsings() => RunningModel.Check("""
        [Scale(targets: "q,k")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4), k = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                using var scope = NewDisposeScope();
                using var y = q.forward(x);
                using (var z = k.forward(y))
                {
                    var both = z + y;
                    return k.forward(both).MoveToOuterDisposeScope();
                }
            }
        }
        """, "q", "k");
}
