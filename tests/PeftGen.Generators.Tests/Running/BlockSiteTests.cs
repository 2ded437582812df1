using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Generators.Tests;

/// <summary>Sites that the compiler sees in blocks as people write them, without intrinsics: sums with a residual, attention, outputs, inputs.</summary>
public class BlockSiteTests
{
    private const string Parts = """
        public partial class Mlp : Module<Tensor, Tensor>
        {
            private readonly Linear up = Linear(4, 8), down = Linear(8, 4);
            public Mlp() : base("mlp") => RegisterComponents();
            public override Tensor forward(Tensor x) => down.forward(up.forward(x).relu());
        }

        public partial class Attend : Module<Tensor, Tensor, Tensor>
        {
            private readonly Linear q = Linear(4, 4), k = Linear(4, 4), v = Linear(4, 4);
            public Attend() : base("attend") => RegisterComponents();
            public override Tensor forward(Tensor x, Tensor mask)
            {
                var (kk, vv) = (k.forward(x), v.forward(x));
                return functional.scaled_dot_product_attention(q.forward(x), kk, value: vv, attn_mask: mask);
            }
        }

        """;

    [Fact]
    public void ResidualsOfPreNormBlocks() => RunningModel.Check(Parts + """
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Mlp first = new(), mlp = new(), third = new(), fourth = new();
            private readonly LayerNorm ln = LayerNorm(4);
            private readonly Dropout drop = Dropout(0);
            public Block() : base("block") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                var a = first.forward(ln.forward(x));
                x = x + drop.forward(a);
                x += mlp.forward(x) * 0.5;
                using var residual = x.alias();
                var h = third.forward(residual);
                h = functional.dropout(h, 0.0, training);
                x = h.add(residual);
                return (x.add(fourth.forward(x))).alias();
            }
        }

        [Touch(Residuals = "first,mlp,third,fourth")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Block> layers = new(new Block(), new Block());
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) { foreach (var layer in layers) x = layer.forward(x); return x; }
        }
        """, [.. from layer in new[] { 0, 1 } from name in new[] { "first", "mlp", "third", "fourth" } select $"layers.{layer}.{name}"]);

    /// <summary>The touched residual multiplies h alone, so it shows which operand is taken for the sub-layer's output.</summary>
    [Fact]
    public void TheOutputIsToldFromTheResidualOnEitherSide()
    {
        var running = RunningModel.Check(Parts + """
            [Touch(Residuals = "mlp,other")]
            public partial class Model : Module<Tensor, Tensor>
            {
                public readonly Mlp mlp = new();
                public readonly Mlp other = new();
                public readonly LayerNorm norm = LayerNorm(4);
                public Model() : base("model") => RegisterComponents();
                public override Tensor forward(Tensor x)
                {
                    var y = x + mlp.forward(x);
                    return norm.forward(y + other.forward(y));
                }
            }
            """, "mlp", "other");
        using (no_grad())
            foreach (var parameter in ((nn.Module)running.Adapter).parameters())
                parameter.zero_();

        // Without what the sub-layers put out, the residual alone is normed.
        Tensor expected = running.Model.norm.forward(running.Input);
        Assert.True(expected.allclose(running.Adapted()));
    }

    [Fact]
    public void SubLayersSideBySide() => RunningModel.Check(Parts + """
        [Touch(Residuals = "mlp,other")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Mlp mlp = new(), other = new();
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => x + mlp.forward(x) + other.forward(x);
        }
        """, "other", "mlp");

    [Fact]
    public void SumsThatAreNoResiduals() => RunningModel.Check(Parts + """
        [Touch(Residuals = "**")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Mlp mlp = new(), other = new();
            private readonly Parameter bias = Parameter(rand(4));
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                var both = mlp.forward(x) + other.forward(x);
                var shifted = mlp.forward(both) + bias;
                return Residual.Add(shifted, x);
            }
        }
        """, "");

    [Fact]
    public void AttentionWithoutIntrinsic() => RunningModel.Check(Parts + """
        [Touch(Attentions = "self_attn")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Attend self_attn = new();
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x) => self_attn.forward(x, ones(2, 3, 3, dtype: ScalarType.Bool));
        }
        """, "self_attn");

    [Fact]
    public void OutputsOfBlocksAndLayers() => RunningModel.Check(Parts + """
        public abstract partial class Around : Module<Tensor, Tensor>
        {
            private readonly Linear inner = Linear(4, 4);
            protected Around() : base("around") => RegisterComponents();
            public override Tensor forward(Tensor x) => inner.forward(x);
        }

        public partial class Special : Around;

        [GradientCheckpointing]
        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly Mlp mlp = new();
            private readonly Special special = new();
            public Block() : base("block") => RegisterComponents();
            public override Tensor forward(Tensor x) => special.forward(mlp.forward(x));
        }

        [Touch(Outputs = "layers.*,special,up,drop")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Dropout drop = Dropout(0);
            private readonly ModuleList<Block> layers = new(new Block());
            private readonly Module<Tensor, Tensor> last = new Mlp();
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor x)
            {
                x = drop.forward(x);
                foreach (var layer in layers)
                    x = layer.forward(x);
                return last.forward(x);
            }
        }
        """, "drop", "layers.0.mlp.up", "layers.0.special", "layers.0", "last.up");

    [Fact]
    public void InputsAndPositions()
    {
        var running = RunningModel.Check(Parts + """
            public sealed class Cache : ITokenCache { public long Length { get; set; } }

            [Touch(Inputs = true)]
            public partial class Model : Module<Tensor, Tensor>
            {
                private readonly Linear head = Linear(4, 4);
                public Model() : base("model") => RegisterComponents();
                public override Tensor forward(Tensor input_ids) => head.forward(Attention.Positions(input_ids));
                public Tensor step(Tensor input_ids, Cache? cache = null) => forward(input_ids);
            }
            """, "");
        dynamic cache = Activator.CreateInstance(running.Assembly.GetType("Cache")!)!;
        cache.Length = 3L;
        using (no_grad())
            foreach (var parameter in ((nn.Module)running.Adapter).parameters())
                parameter.fill_(1);
        Tensor moved = running.Model.step(running.Adapter, running.Input, cache), plain = running.Model.step(running.Adapter, running.Input + 3);
        Assert.True(moved.allclose(plain));
    }

    [Fact]
    public void AGroupWithoutInputsBesideOneWithThem() => RunningModel.Check(Parts + """
        [Touch(Outputs = "head")]
        [Touch(Inputs = true, Group = "door")]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Linear head = Linear(4, 4);
            public Model() : base("model") => RegisterComponents();
            public override Tensor forward(Tensor input_ids) => head.forward(input_ids);
        }
        """, "head");
}
