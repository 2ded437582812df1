namespace PeftGen.Generators.Tests;

/// <summary>What is emitted is read by users, so it is looked at as a whole.</summary>
public class EmittedCodeTests
{
    [Fact]
    public void Llama() => Check("""
        namespace Models;

        /// <summary>Grouped-query attention.</summary>
        public partial class Attention : Module<Tensor, Tensor?, Tensor>
        {
            private readonly Linear q_proj, k_proj, v_proj, o_proj;
            private readonly long heads;

            public Attention(long dim, long heads) : base(nameof(Attention))
            {
                this.heads = heads;
                q_proj = Linear(dim, dim, hasBias: false);
                k_proj = Linear(dim, dim, hasBias: false);
                v_proj = Linear(dim, dim, hasBias: false);
                o_proj = Linear(dim, dim, hasBias: false);
                RegisterComponents();
            }

            public override Tensor forward(Tensor x, Tensor? mask = null)
            {
                using var scope = NewDisposeScope();
                var q = Split(q_proj.forward(x));   // [batch, heads, tokens, head_dim]
                var k = Split(k_proj.forward(x));
                var v = Split(v_proj
                    .call(x));
                var y = functional.scaled_dot_product_attention(q, k, v, mask);
                return o_proj.forward(y.transpose(1, 2).flatten(2)).MoveToOuterDisposeScope();
            }

            private Tensor Split(Tensor x) => x.view(x.shape[0], x.shape[1], heads, -1).transpose(1, 2);
        }

        public partial class Mlp : Module<Tensor, Tensor>
        {
            private readonly Linear gate_proj, up_proj, down_proj;

            public Mlp(long dim) : base(nameof(Mlp))
            {
                gate_proj = Linear(dim, 4 * dim);
                up_proj = Linear(dim, 4 * dim);
                down_proj = Linear(4 * dim, dim);
                RegisterComponents();
            }

            public override Tensor forward(Tensor x) => down_proj.forward(functional.silu(gate_proj.forward(x)) * up_proj.forward(x));
        }

        public partial class Block : Module<Tensor, Tensor?, Tensor>
        {
            private readonly Attention self_attn;
            private readonly Mlp mlp;

            public Block(long dim) : base(nameof(Block))
            {
                self_attn = new Attention(dim, 2);
                mlp = new Mlp(dim);
                RegisterComponents();
            }

            public override Tensor forward(Tensor x, Tensor? mask = null) {
                x = x + self_attn.call(x, mask);
                return x + mlp.forward(x);
            }
        }

        [Scale(1.5, "q,v")]
        public partial class Llama : Module<Tensor, Tensor?, Tensor>
        {
            private readonly Embedding embed_tokens;
            private readonly ModuleList<Block> layers = [];
            private readonly Linear lm_head;

            public Llama(int depth, long dim) : base(nameof(Llama))
            {
                embed_tokens = Embedding(16, dim);
                for (var i = 0; i < depth; i++)
                    layers.Add(new Block(dim));
                lm_head = Linear(dim, 16);
                RegisterComponents();
            }

            public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null)
            {
                var h = embed_tokens.forward(input_ids);
                foreach (var layer in layers)
                    h = layer.forward(h, attention_mask);

                return lm_head.forward(h);
            }

            /// <summary>Appends the likeliest tokens.</summary>
            public Tensor generate(Tensor input_ids, int tokens = 8)
            {
                for (var i = 0; i < tokens; i++)
                    input_ids = cat([input_ids, forward(input_ids).select(1, -1).argmax(-1, keepdim: true)], 1);
                return input_ids;
            }
        }
        """);

    [Fact]
    public void SequentialAndAbstract() => Check("""
        namespace Models
        {
            using Pair = (Tensor first, Tensor second);

            public partial class Gate : Module<Tensor, Tensor>
            {
                public Linear Value { get; }

                public Gate(long dim) : base(nameof(Gate)) { Value = Linear(dim, dim); RegisterComponents(); }

                public override Tensor forward(Tensor x) => x * Value.forward(x);
            }

            [Scale(targets: "Value,up,head")]
            public partial class Stack : Module<Tensor, Tensor>
            {
                private readonly Sequential mlp;
                private readonly Module<Tensor, Tensor> head;
                private readonly ModuleDict<Module<Tensor, Tensor>> towers;

                public Stack(long dim) : base(nameof(Stack))
                {
                    mlp = Sequential(("up", Linear(dim, dim)), ("act", ReLU()), ("gate", new Gate(dim)));
                    head = Linear(dim, dim);
                    towers = ModuleDict<Module<Tensor, Tensor>>(("left", new Gate(dim)), ("right", ReLU()));
                    RegisterComponents();
                }

                public override Tensor forward(Tensor x)
                {
                    Pair pair = (towers["left"].forward(x), towers["right"].forward(x));
                    return head.forward(mlp.forward(pair.first + pair.second));
                }
            }
        }
        """);

    [Fact]
    public void Inheritance() => Check("""
        namespace Models;

        public abstract partial class Layer<T> : Module<Tensor, Tensor> where T : Module<Tensor, Tensor>
        {
            protected T? inner;

            protected Layer(string name) : base(name) { }

            protected abstract Tensor Mix(Tensor x);

            public override Tensor forward(Tensor x) => Mix(x) + (inner is null ? x : inner.forward(x));
        }

        public partial class Projection : Layer<Linear>
        {
            private readonly Linear proj;

            public Projection(long dim) : base(nameof(Projection)) { proj = Linear(dim, dim); inner = Linear(dim, dim); RegisterComponents(); }

            protected override Tensor Mix(Tensor x) => proj.forward(x);
        }

        public sealed partial class Gated : Projection
        {
            private readonly Linear gate;

            public Gated(long dim) : base(dim) { gate = Linear(dim, dim); RegisterComponents(); }

            protected override Tensor Mix(Tensor x) => base.Mix(x) * gate.forward(x);
        }

        [Scale(targets: "proj,gate,inner")]
        public partial class Net : Module<Tensor, Tensor>
        {
            private readonly Gated gated = new(4);
            private readonly List<Projection> all = [new(4), new Gated(4)];

            public Net() : base(nameof(Net)) => RegisterComponents();

            public override Tensor forward(Tensor x) => all.Aggregate(gated.forward(x), (h, layer) => layer.forward(h));
        }
        """);

    [Fact]
    public void Parameters() => Check("""
        namespace Models;

        public partial class RMSNorm : Module<Tensor, Tensor>
        {
            private readonly Parameter weight;

            public RMSNorm(long dim) : base(nameof(RMSNorm)) { weight = Parameter(ones(dim)); RegisterComponents(); }

            public override Tensor forward(Tensor x) => weight * (x * rsqrt(x.pow(2).mean([-1], keepdim: true) + 1e-6));
        }

        [Touch(Parameters = "norm,lm_head")]
        internal partial class Net : Module<Tensor, Tensor>
        {
            private readonly RMSNorm norm;
            [Name("lm_head.weight")] private readonly Parameter tied;

            public Net(long dim) : base(nameof(Net)) { norm = new RMSNorm(dim); tied = Parameter(randn(dim, dim)); RegisterComponents(); }

            public override Tensor forward(Tensor x)
            {
                return functional.linear(norm.forward(x), this.tied);
            }
        }
        """);

    [Fact]
    public void ResidualAndAttention() => Check("""
        namespace Models;

        public partial class SelfOutput : Module<Tensor, Tensor, Tensor>
        {
            private readonly Linear dense;
            private readonly LayerNorm LayerNorm;

            public SelfOutput(long dim) : base(nameof(SelfOutput)) { dense = Linear(dim, dim); LayerNorm = LayerNorm(dim); RegisterComponents(); }

            public override Tensor forward(Tensor hidden, Tensor input)
            {
                hidden = dense.forward(hidden);
                return LayerNorm.forward(hidden + input);
            }
        }

        public partial class SelfAttention : Module<Tensor, Tensor>
        {
            private readonly Linear query, key, value;

            public SelfAttention(long dim) : base(nameof(SelfAttention)) { query = Linear(dim, dim); key = Linear(dim, dim); value = Linear(dim, dim); RegisterComponents(); }

            public override Tensor forward(Tensor x)
            {
                var (q, k, v) = (query.forward(x), key.forward(x), value.forward(x));
                (k, v, _) = PeftGen.Attention.Attach(x, q, k, v, mask: null);
                return functional.scaled_dot_product_attention(q, k, v);
            }
        }

        [Touch(Residuals = "output", Attentions = "self")]
        public partial class Layer : Module<Tensor, Tensor>
        {
            private readonly SelfAttention self;
            private readonly SelfOutput output;

            public Layer(long dim) : base(nameof(Layer)) { self = new SelfAttention(dim); output = new SelfOutput(dim); RegisterComponents(); }

            public override Tensor forward(Tensor x) => Residual.Add(output.forward(self.forward(x), x), x);
        }
        """);

    [Fact]
    public void GradientCheckpointing() => Check("""
        namespace Models;

        [GradientCheckpointing]
        public partial class Layer : Module<Tensor, Tensor?, int, List<Tensor>?, Tensor>
        {
            private readonly Linear inner = Linear(4, 4);

            public Layer() : base(nameof(Layer)) => RegisterComponents();

            public override Tensor forward(Tensor x, Tensor? mask, int times, List<Tensor>? cache) => inner.forward(x) * times;
        }

        [LoRA(rank: 2, targets: "layers.*.inner")]
        public partial class Deep : Module<Tensor, Tensor>
        {
            private readonly ModuleList<Layer> layers = ModuleList(new Layer(), new Layer());

            public Deep() : base(nameof(Deep)) => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                foreach (var layer in layers)
                    x = layer.forward(x, null, 2, null);
                return x;
            }
        }
        """);

    [Fact]
    public void Groups() => Check("""
        namespace Models;

        [Scale(targets: "text.*")]
        [Scale(2, "image.*", Group = "vision", Fixed = true)]
        [Touch(Parameters = "scale", Group = "vision")]
        public partial class Clip : Module<Tensor, Tensor, Tensor>
        {
            private readonly ModuleList<Linear> text, image;
            private readonly Parameter scale;

            public Clip(long dim) : base(nameof(Clip)) { text = ModuleList(Linear(dim, dim)); image = ModuleList(Linear(dim, dim)); scale = Parameter(ones(1)); RegisterComponents(); }

            public override Tensor forward(Tensor ids, Tensor pixels) => scale * text[0].forward(ids) * image[0].forward(pixels);
        }
        """);

    private static void Check(string model, [System.Runtime.CompilerServices.CallerMemberName] string test = "") =>
        Snapshot.Matches(Generated.From(model).AssertCompiles(), test: test);
}
