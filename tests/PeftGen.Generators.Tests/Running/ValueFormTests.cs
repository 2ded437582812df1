namespace PeftGen.Generators.Tests;

/// <summary>Modules, methods and weights used as values.</summary>
public class ValueFormTests
{
    [Fact]
    public void MethodGroups() => RunningModel.Check("""
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + fc.forward(x);

            public Tensor Twice(Tensor x) => fc.forward(fc.forward(x));
        }

        [Scale(targets: "a,fc,heads.*,last")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear a = Linear(4, 4);
            private readonly Block block = new();
            private readonly ModuleList<Linear> heads = ModuleList(Linear(4, 4), Linear(4, 4));
            private readonly Module<Tensor, Tensor> last = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                Func<Tensor, Tensor> run = a.forward;
                var natural = this.a.call;
                var y = Run(block.forward, natural(run(x)));
                y = Run(x.sum().item<float>() > 1e9 ? null : block.Twice, y);
                foreach (var step in heads.Select(h => (Func<Tensor, Tensor>)h.forward))
                    y = step(y);
                return new[] { y, x }.Select(Project).Aggregate(Add);
            }

            private Tensor Project(Tensor input) => last.call(input);

            private static Tensor Add(Tensor left, Tensor right) => left + right;

            private static Tensor Run(Func<Tensor, Tensor>? f, Tensor x) => f is null ? x : f(x);
        }
        """, "a", "block.fc", "heads.0", "heads.1", "last");

    [Fact]
    public void ConditionalAccessOnLayers() => RunningModel.Check("""
        [Scale(targets: "some,layers.*")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear? some = Linear(4, 4), none = null;
            private readonly Module<Tensor, Tensor>?[] layers = [Linear(4, 4), null];

            public Model() : base("model") { RegisterComponents(); register_module("first", layers[0]!); }

            public override Tensor forward(Tensor x)
            {
                var y = some?.forward(x) ?? x;
                none?.forward(y);
                y = none?.call(y).relu() ?? y;
                long? dims = some?.forward(y).shape.Length;
                foreach (var layer in layers.Take(1))
                    y = layer?.forward(some?.forward(y)!)?.mul((int)dims!) ?? y;
                return y;
            }
        }
        """, "some", "layers.0");

    [Fact]
    public void StaticCode() => RunningModel.Check("""
        public abstract partial class Helped : Module<Tensor, Tensor>
        {
            protected Helped() : base("helped") { }

            protected static Tensor Residual(Module<Tensor, Tensor> layer, Tensor x) => x + layer.forward(x);
        }

        [Scale(targets: "a,b,heads.*")]
        public partial class Model : Helped
        {
            private readonly Linear a = Linear(4, 4), b = Linear(4, 4);
            private readonly ModuleList<Linear> heads = ModuleList(Linear(4, 4), Linear(4, 4));

            public Model() => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                x = Residual(a, Model.Run(b, x));
                static Tensor Local(Linear layer, Tensor x) => layer.forward(x);
                x = Local(a, x);
                return heads.Aggregate(x, static (y, head) => head.forward(y));
            }

            private static Tensor Run(Linear layer, Tensor x) => Again(layer, x, 2);

            private static T Again<T>(Linear layer, T x, int times) where T : Tensor => times == 0 ? x : (T)Again(layer, layer.call(x), times - 1);
        }
        """, "a", "b", "heads.0", "heads.1");

    [Fact]
    public void ModulesGivenByExpressions() => RunningModel.Check("""
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + fc.forward(x);
        }

        [Scale(targets: "fc,layers.*")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> blocks = ModuleList(new Block(), new Block());
            private readonly ModuleList<Linear> layers = ModuleList(Linear(4, 4), Linear(4, 4));
            private int calls;

            public Model() : base("model") => RegisterComponents();

            private ModuleList<Block> Stack => blocks;

            public override Tensor forward(Tensor x)
            {
                calls = 0;
                x = blocks.First().forward(Next().forward(x));
                var i = 0;
                while (i < blocks.Count)
                    x = Stack[i++].call(x);
                x = layers.Last().forward(layers.ElementAt(0).forward(x));
                x = (x.dim() > 2 ? blocks[0] : blocks[1]).forward(x);
                if (calls != 1)
                    throw new InvalidOperationException("evaluated twice");
                Module[] all = [blocks[0], layers[1]];
                foreach (var module in all)
                    x = module switch
                    {
                        Block block => block.forward(x),
                        Linear layer => layer.forward(x),
                        _ => throw new InvalidOperationException(),
                    };
                return x;
            }

            private Block Next() { calls++; return blocks[0]; }
        }
        """, "blocks.0.fc", "blocks.1.fc", "layers.0", "layers.1");

    [Fact]
    public void AbstractChildrenOfManyInputs() => RunningModel.Check("""
        public sealed record Input(Tensor X, Tensor? Mask = null);

        public partial class One : Module<Input, (Tensor, int)>
        {
            private readonly Linear fc = Linear(4, 4);

            public One() : base("one") => RegisterComponents();

            public override (Tensor, int) forward(Input input) => (fc.forward(input.X), 1);
        }

        public partial class Two : Module<Tensor, Tensor?, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Two() : base("two") => RegisterComponents();

            public override Tensor forward(Tensor x, Tensor? mask) => x + fc.forward(mask is null ? x : x * mask);
        }

        public partial class Six : Module<Tensor, Tensor, int, double, bool, string, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Six() : base("six") => RegisterComponents();

            public override Tensor forward(Tensor x, Tensor y, int a, double b, bool c, string d) => c ? fc.forward(x + y) * a * b : x;
        }

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Module<Input, (Tensor, int)> one = new One();
            private readonly ModuleList<Module<Tensor, Tensor?, Tensor>> layers = ModuleList<Module<Tensor, Tensor?, Tensor>>(new Two(), new Two());
            private readonly Module<Tensor, Tensor, int, double, bool, string, Tensor> six = new Six();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var (y, _) = one.call(new Input(x));
                foreach (var layer in layers)
                    y = layer.forward(y, null);
                for (var i = 0; i < 2; i++)
                    y = layers[i].call(y, x);
                Func<Tensor, Tensor?, Tensor> run = layers[0].forward;
                return six.forward(run(y, null), x, 1, 0.5, true, "");
            }
        }
        """, "one.fc", "layers.0.fc", "layers.1.fc", "six.fc");

    [Fact]
    public void AbstractChildrenRunTheirHooks()
    {
        var running = RunningModel.Check("""
            public partial class Block : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);
                public int Calls;

                public Block() : base("block") { RegisterComponents(); register_forward_hook((_, _, y) => { Calls++; return y * 2; }); }

                public override Tensor forward(Tensor x) => x + fc.forward(x);
            }

            [Scale(targets: "fc")]
            public partial class Model : Module<Tensor, Tensor>
            {
                public readonly Block Own = new();
                private readonly Module<Tensor, Tensor> block;

                public Model() : base("model") { block = Own; RegisterComponents(); }

                public override Tensor forward(Tensor x) => block.call(x);
            }
            """, "Own.fc");
        var before = (int)running.Model.Own.Calls;
        running.Adapted();
        Assert.Equal(before + 1, (int)running.Model.Own.Calls);
    }

    [Fact]
    public void WeightsReadPastTheirLayers() => RunningModel.Check("""
        public partial class Own : Module<Tensor, Tensor>
        {
            public readonly Linear inner = Linear(4, 4);

            public Own() : base("own") => RegisterComponents();

            public override Tensor forward(Tensor x) => inner.forward(x);
        }

        [Scale(targets: "head,inner,layers.*")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear head = Linear(4, 4);
            private readonly Own own = new();
            private readonly ModuleList<Linear> layers = ModuleList(Linear(4, 4, hasBias: false));

            public Model() : base("model")
            {
                RegisterComponents();
                Start();
            }

            private void Start() { using (no_grad()) init.normal_(head.weight, 0, 0.5); }

            public override Tensor forward(Tensor x)
            {
                x = x.to(head.weight.dtype);
                x = functional.linear(x, head.weight, head.bias);
                foreach (var layer in layers)
                    x = functional.linear(x, layer.weight!, layer.bias);
                return matmul(x, this.own.inner.weight.t()) + own.inner.bias!;
            }
        }
        """, "head", "own.inner", "layers.0");

    [Fact]
    public void ParametersOfChildrenReadPastThem() => RunningModel.Check("""
        public partial class Table : Module<Tensor, Tensor>
        {
            public readonly Parameter table = new(torch.ones(4, 4));

            public Table() : base("table") => RegisterComponents();

            public override Tensor forward(Tensor x) => matmul(x, table);
        }

        [Touch(Parameters = "embed.table")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Table embed = new();

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => matmul(embed.forward(x), embed.table.t());
        }
        """, "embed.table");
}
