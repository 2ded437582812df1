namespace PeftGen.Generators.Tests;

/// <summary>Children in containers that are built late, nested, named or registered by hand.</summary>
public class UncommonContainerTests
{
    private const string Block = """
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Linear fc = Linear(4, 4);

            public Block() : base("block") => RegisterComponents();

            public override Tensor forward(Tensor x) => x + fc.forward(x);
        }
        """;

    [Fact]
    public void ListsOfLists() => RunningModel.Check(Block + """

        [Scale(targets: "all-linear")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<ModuleList<Linear>> grid = ModuleList(ModuleList(Linear(4, 4), Linear(4, 4)), ModuleList(Linear(4, 4)));
            private readonly ModuleDict<ModuleList<Block>> named = ModuleDict<ModuleList<Block>>(("left", ModuleList(new Block())), ("right", ModuleList(new Block())));
            private readonly Linear fc = Linear(4, 4);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var row in grid)
                    foreach (var layer in row)
                        x = layer.forward(x);
                x = named["left"][0].forward(x);
                foreach (var block in named["right"])
                    x = block.forward(x);
                return fc.forward(grid[0][1].forward(x));
            }
        }
        """, "grid.0.0", "grid.0.1", "grid.1.0", "named.left.0.fc", "named.right.0.fc", "fc");

    /// <summary>Elements of a dictionary can be meant by their names.</summary>
    [Fact]
    public void DictionariesThroughTypedGetters() => RunningModel.Check("""
        [Scale(targets: "query,value")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleDict<Module<Tensor, Tensor>> parts = new();
            private readonly ModuleDict<Linear> typed = ModuleDict<Linear>(("value", Linear(4, 4)), ("key", Linear(4, 4)));

            private Linear Query => (Linear)parts["query"];

            public Model() : base("model")
            {
                parts.Add("query", Linear(4, 4));
                parts.Add("act", GELU());
                RegisterComponents();
            }

            public override Tensor forward(Tensor x) => typed["key"].forward(typed["value"].forward(parts["act"].forward(Query.forward(x))));
        }
        """, "parts.query", "typed.value");

    [Fact]
    public void ElementsRegisteredByHand() => RunningModel.Check(Block + """

        [Scale(targets: "fc")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly List<Block> blocks = [];

            public Model() : base("model")
            {
                for (var i = 0; i < 2; i++)
                {
                    var block = new Block();
                    register_module($"block{i}", block);
                    blocks.Add(block);
                }
            }

            public override Tensor forward(Tensor x)
            {
                foreach (var block in blocks)
                    x = block.forward(x);
                return x;
            }
        }
        """, "blocks.0.fc", "blocks.1.fc");

    /// <summary>TorchSharp does not know them, so they cannot be merged into.</summary>
    [Fact]
    public void ElementsAddedAfterTheListIsRegistered() => RunningModel.Check(Block + """

        [Scale(targets: "all-linear", Fixed = true)]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> blocks = new();

            public Model() : base("model")
            {
                RegisterComponents();
                for (var i = 0; i < 2; i++)
                    blocks.Add(new Block());
            }

            public override Tensor forward(Tensor x)
            {
                foreach (var block in blocks)
                    x = block.forward(x);
                return x;
            }
        }
        """, "blocks.0.fc", "blocks.1.fc");

    /// <summary>A linear class of the user's own where the field's type does not tell.</summary>
    [Fact]
    public void OwnLinearLayersInAbstractFields() => RunningModel.Check("""
        public partial class Dense : Module<Tensor, Tensor>
        {
            private readonly Parameter kernel;

            public Dense() : base("dense")
            {
                kernel = Parameter(randn(4, 4));
                RegisterComponents();
            }

            public override Tensor forward(Tensor x) => matmul(x, kernel);
        }

        [Scale(targets: "all-linear")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Module<Tensor, Tensor> first = new Dense();
            private readonly Sequential rest = Sequential(new Dense(), GELU());

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => rest.forward(first.forward(x));
        }
        """, "first", "rest.0");

    [Fact]
    public void StepsWithDotsInTheirNames() => RunningModel.Check("""
        [Scale(targets: "mlp.0,last")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Sequential steps = Sequential(("mlp.0", Linear(4, 4)), ("mlp.act", GELU()), ("last", Linear(4, 4)));

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x) => steps.forward(x);
        }
        """, "steps.mlp.0", "steps.last");

    /// <summary>TorchSharp's own attribute names a field in checkpoints, as PeftGen's does, at any depth below properties.</summary>
    [Fact]
    public void NamesBelowProperties() => RunningModel.Check("""
        public partial class Inner : Module<Tensor, Tensor>
        {
            [TorchSharp.Utils.ComponentName(Name = "q_proj")] private readonly Linear _query = Linear(4, 4);
            [Name("v_proj")] private readonly Linear _value = Linear(4, 4);
            [field: TorchSharp.Utils.ComponentName(Name = "o_proj")] private Linear Out { get; } = Linear(4, 4);

            public Inner() : base("inner") => RegisterComponents();

            public override Tensor forward(Tensor x) => Out.forward(_value.forward(_query.forward(x)));
        }

        [Scale(targets: "layers.0.q_proj,v_proj,o_proj")]
        public partial class Model : Module<Tensor, Tensor>
        {
            [Name("layers")] public ModuleList<Inner> Layers { get; } = ModuleList(new Inner(), new Inner());

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var layer in Layers)
                    x = layer.forward(x);
                return x;
            }
        }
        """, "layers.0.q_proj", "layers.0.v_proj", "layers.0.o_proj", "layers.1.v_proj", "layers.1.o_proj");

    [Theory]
    [InlineData("private readonly Linear fc = Linear(4, 4);", "Model")]
    [InlineData("private readonly Sequential fc = Sequential(new Silent());", "fc.0 (Silent)")]
    public void WhatIsNeverRegisteredIsRefused(string field, string where)
    {
        var generated = Generated.From($$"""
            [LoRA(2, targets: "all-linear")]
            public partial class Model : Module<Tensor, Tensor>
            {
                {{field}}

                public Model() : base("model")
                {
                    {{(where == "Model" ? "" : "RegisterComponents();")}}
                }

                public override Tensor forward(Tensor x) => fc.forward(x);
            }

            public partial class Silent : Module<Tensor, Tensor>
            {
                private readonly Linear inner = Linear(4, 4);

                public Silent() : base("silent") { }

                public override Tensor forward(Tensor x) => inner.forward(x);
            }
            """);
        Assert.Contains(generated.Reported, d => d.Id == "PG070");
        dynamic model = Activator.CreateInstance(RunningModel.Load(generated).GetTypes().Single(t => t.Name == "Model"))!;
        Assert.Equal(
            $"{where}: TorchSharp knows none of the layers that this module holds, so they do not train, move or save. Call RegisterComponents() at the end of its constructor.",
            Assert.Throws<AdapterException>(() => model.CreateAdapter()).Message);
    }
}
