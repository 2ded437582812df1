namespace PeftGen.Generators.Tests;

/// <summary>Children in lists, dictionaries and sequences.</summary>
public class ContainerTests
{
    [Fact]
    public void ModuleListByForeachIndexAndZip() => RunningModel.Check("""
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + fc.forward(x);
        }

        [Scale(targets: "fc,layers.1")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> blocks = ModuleList(new Block(), new Block());
            private readonly ModuleList<Linear> layers = ModuleList(Linear(4, 4), Linear(4, 4));
            private readonly ModuleList<Module<Tensor, Tensor>> mixed = ModuleList<Module<Tensor, Tensor>>(new Block(), ReLU());

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var block in blocks)
                    x = block.forward(x);
                for (var i = 0; i < layers.Count; i++)
                    x = layers[i].call(x);
                foreach (var (block, layer) in blocks.Zip(layers))
                    x = layer.forward(block.call(x));
                foreach (Module<Tensor, Tensor> any in mixed.Reverse())
                    x = any.forward(x);
                return blocks[^1].forward(x);
            }
        }
        """, "blocks.0.fc", "blocks.1.fc", "layers.1", "mixed.0.fc");

    [Fact]
    public void ListsAndArrays() => RunningModel.Check("""
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + fc.forward(x);
        }

        [Scale(targets: "fc,array.*")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly List<Block> list = [new(), new()];
            private readonly Linear[] array = [Linear(4, 4), Linear(4, 4)];

            public Model() : base("model")
            {
                RegisterComponents();
                for (var i = 0; i < 2; i++)
                {
                    register_module($"list_{i}", list[i]);
                    register_module($"array_{i}", array[i]);
                }
            }

            public override Tensor forward(Tensor x)
            {
                x = list.Aggregate(x, (h, block) => block.forward(h));
                var last = array[^1];
                return last.forward(array[0].forward(x));
            }
        }
        """, "list.0.fc", "list.1.fc", "array.0", "array.1");

    [Fact]
    public void ModuleDict() => RunningModel.Check("""
        public partial class Tower : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Tower() : base("tower") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + fc.forward(x);
        }

        [Scale(targets: "fc,heads.*")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleDict<Tower> towers = ModuleDict(("text", new Tower()), ("image", new Tower()));
            private readonly ModuleDict<Linear> heads = ModuleDict(("a", Linear(4, 4)), ("b", Linear(4, 4)));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var (name, tower) in towers)
                    x = heads[name == "text" ? "a" : "b"].forward(tower.forward(x));
                return towers["text"].forward(x);
            }
        }
        """, "towers.text.fc", "towers.image.fc", "heads.a", "heads.b");

    [Fact]
    public void NestedSequential() => RunningModel.Check("""
        public partial class Gate : Module<Tensor, Tensor>
        {
            private readonly Linear gate = Linear(4, 4);

            public Gate() : base("gate") => RegisterComponents();

            public override Tensor forward(Tensor x) => x * gate.forward(x);
        }

        [Scale(targets: "up,down,gate,out,plain.0,blocks.1.0")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Sequential body = Sequential(("up", Linear(4, 8)), ("inner", Sequential(("act", GELU()), ("down", Linear(8, 4)), ("own", new Gate()))));
            private readonly Sequential plain = Sequential(Linear(4, 4), Tanh());
            private readonly ModuleList<Sequential> blocks = ModuleList(Sequential(Tanh(), Linear(4, 4)), Sequential(Linear(4, 4)));
            private readonly Sequential head;

            public Model() : base("model")
            {
                head = Sequential(("out", Linear(4, 4)));
                RegisterComponents();
            }

            public override Tensor forward(Tensor x)
            {
                x = plain.forward(body.call(x));
                foreach (var block in blocks)
                    x = block.forward(x);
                return head.forward(x);
            }
        }
        """, "body.up", "body.inner.down", "body.inner.own.gate", "plain.0", "blocks.1.0", "head.out");

    [Fact]
    public void ElementsOfSequentials() => RunningModel.Check("""
        [Scale(targets: "steps.0,steps.2")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Sequential steps = Sequential(Linear(4, 4), Tanh(), Linear(4, 4)), others = Sequential(("a", Linear(4, 4)));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                for (var i = 0; i < steps.Count; i++)
                    x = steps[i].call(x);
                return others[0].call(x);
            }
        }
        """, "steps.0", "steps.2");

    [Fact]
    public void AbstractChildren() => RunningModel.Check("""
        public partial class Own : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Own() : base("own") => RegisterComponents();

            public override Tensor forward(Tensor x) => x - fc.forward(x);
        }

        public partial class Masked : Module<Tensor, Tensor?, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Masked() : base("masked") => RegisterComponents();

            public override Tensor forward(Tensor x, Tensor? mask) => fc.forward(mask is null ? x : x * mask);
        }

        [Scale(targets: "layer,fc,sequence.0")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Module<Tensor, Tensor> layer = Linear(4, 4), own = new Own(), sequence = Sequential(Linear(4, 4), new Own());
            private readonly Module<Tensor, Tensor?, Tensor> masked = new Masked();
            private readonly IModule<Tensor, Tensor> plain;

            public Model() : base("model") { plain = ReLU(); RegisterComponents(); }

            public override Tensor forward(Tensor x) => masked.forward(sequence.forward(own.call(layer.forward(x))), null);
        }
        """, "layer", "own.fc", "sequence.0", "sequence.1.fc", "masked.fc");

    /// <summary>The compiler cannot know which of the classes stands at a place, so those without a target run as the others do.</summary>
    [Fact]
    public void ListsOfAnAbstractClassWhereNotAllHaveTargets() => RunningModel.Check("""
        public abstract partial class Step(string name) : Module<Tensor, Tensor?, Tensor>(name);

        public partial class Attention : Step
        {
            private readonly Linear q = Linear(4, 4);

            public Attention() : base("attention") => RegisterComponents();

            public override Tensor forward(Tensor x, Tensor? mask) => x + q.forward(mask is null ? x : x * mask);
        }

        public partial class FeedForward : Step
        {
            private readonly Linear wo = Linear(4, 4);

            public FeedForward() : base("ffn") => RegisterComponents();

            public override Tensor forward(Tensor x, Tensor? mask) => x + wo.forward(x);
        }

        [Scale(targets: "q")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Step> steps = ModuleList<Step>(new Attention(), new FeedForward());

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var step in steps)
                    x = step.forward(x, null);
                return x;
            }
        }
        """, "steps.0.q");

    [Fact]
    public void OneModuleAtTwoPathsIsOneSlot() => RunningModel.Check("""
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + fc.forward(x);
        }

        [Scale(targets: "fc,first,again")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Block block = new(), same;
            private readonly Module<Tensor, Tensor> alsoSame;
            private readonly Linear first = Linear(4, 4), again;

            public Model() : base("model") { same = block; alsoSame = block; again = first; RegisterComponents(); }

            public override Tensor forward(Tensor x) => again.forward(alsoSame.forward(same.forward(block.forward(first.forward(x)))));
        }
        """, "block.fc", "first");

    [Fact]
    public void AClassThatIsNotCompiledIsNoSilentGap()
    {
        var assembly = RunningModel.Load(Generated.From("""
            public class Block : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);

                public Block() : base("block") => RegisterComponents();

                public override Tensor forward(Tensor x) => fc.forward(x);
            }

            [Scale(targets: "fc")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear fc = Linear(4, 4);
                private readonly Module<Tensor, Tensor> block = new Block();

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x) => block.forward(fc.forward(x));
            }
            """));
        dynamic model = Activator.CreateInstance(assembly.GetType("Model")!)!;
        var refused = Assert.Throws<AdapterException>(() => { model.CreateAdapter(); });
        Assert.Contains("block.fc", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ModulesThatAreNotTheHostsThrowTheirPath()
    {
        var generated = RunningModel.Load(Generated.From("""
            [Scale(targets: "layers.*")]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly ModuleList<Linear> layers = ModuleList(Linear(4, 4));
                public Linear? Stranger;

                public Model() : base("model") => RegisterComponents();

                public override Tensor forward(Tensor x)
                {
                    foreach (var layer in Stranger is null ? layers : layers.Append(Linear(4, 4)))
                        x = layer.forward(x);
                    return x;
                }
            }
            """));
        dynamic model = Activator.CreateInstance(generated.GetType("Model")!)!;
        var adapter = model.CreateAdapter();
        var x = TorchSharp.torch.randn(2, 4);
        model.forward(adapter, x);
        model.Stranger = TorchSharp.torch.nn.Linear(4, 4);
        var refused = Assert.Throws<AdapterException>(() => { model.forward(adapter, x); });
        Assert.Contains("Model: a Linear was called that is none of this module's children", refused.Message, StringComparison.Ordinal);
    }
}
