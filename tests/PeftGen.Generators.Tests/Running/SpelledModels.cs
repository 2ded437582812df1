namespace PeftGen.Generators.Tests;

/// <summary>The same small model as different people write it: 11 tokens, 8 channels, 2 heads, 2 blocks.</summary>
internal static class SpelledModels
{
    private const string Heads = """

            private static Tensor Split(Tensor x) => x.view(x.shape[0], x.shape[1], 2, -1).transpose(1, 2);

            private static Tensor Join(Tensor x) => x.transpose(1, 2).reshape(x.shape[0], x.shape[2], -1);
        """;

    /// <summary>Fields with underscores, in camel case; norms before the sub-layers; a projection of all three in one.</summary>
    public const string Underscores = $$"""
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding _tokenEmbedding = Embedding(11, 8), _positionEmbedding = Embedding(64, 8);
            private readonly Dropout _drop = Dropout(0.1);
            private readonly ModuleList<Block> _blocks = new(new Block(), new Block());
            private readonly LayerNorm _lnF = LayerNorm(8);
            private readonly Linear _lmHead = Linear(8, 11, hasBias: false);

            public Model() : base(nameof(Model)) => RegisterComponents();

            public override Tensor forward(Tensor inputIds)
            {
                var positions = arange(inputIds.shape[1]).unsqueeze(0);
                var x = _drop.forward(_tokenEmbedding.forward(inputIds) + _positionEmbedding.forward(positions));
                foreach (var block in _blocks)
                    x = block.forward(x);
                return _lmHead.forward(_lnF.forward(x));
            }
        }

        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly LayerNorm _ln1 = LayerNorm(8), _ln2 = LayerNorm(8);
            private readonly CausalSelfAttention _attn = new();
            private readonly FeedForward _ffwd = new();

            public Block() : base(nameof(Block)) => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                x = x + _attn.forward(_ln1.forward(x));
                return x + _ffwd.forward(_ln2.forward(x));
            }
        }

        public partial class CausalSelfAttention : Module<Tensor, Tensor>
        {
            private readonly Linear _qkv = Linear(8, 24), _proj = Linear(8, 8);

            public CausalSelfAttention() : base(nameof(CausalSelfAttention)) => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var parts = _qkv.forward(x).chunk(3, -1);
                return _proj.forward(Join(functional.scaled_dot_product_attention(Split(parts[0]), Split(parts[1]), Split(parts[2]), is_casual: true)));
            }
        {{Heads}}
        }

        public partial class FeedForward : Module<Tensor, Tensor>
        {
            private readonly Linear _expand = Linear(8, 16), _contract = Linear(16, 8);

            public FeedForward() : base(nameof(FeedForward)) => RegisterComponents();

            public override Tensor forward(Tensor x) => _contract.forward(functional.gelu(_expand.forward(x)));
        }
        """;

    /// <summary>Fields in Pascal case, as Llama's authors call them; a norm of one's own; a head that is called output.</summary>
    public const string Pascal = $$"""
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding TokEmbeddings = Embedding(11, 8);
            private readonly ModuleList<TransformerBlock> Layers = new(new TransformerBlock(), new TransformerBlock());
            private readonly RmsNorm Norm = new(8);
            private readonly Linear Output = Linear(8, 11, hasBias: false);

            public Model() : base(nameof(Model)) => RegisterComponents();

            public override Tensor forward(Tensor tokens)
            {
                var h = TokEmbeddings.forward(tokens);
                foreach (var layer in Layers)
                    h = layer.forward(h);
                return Output.forward(Norm.forward(h));
            }
        }

        public partial class TransformerBlock : Module<Tensor, Tensor>
        {
            private readonly SelfAttention Attention = new();
            private readonly GatedNetwork FeedForward = new();
            private readonly RmsNorm AttentionNorm = new(8), FfnNorm = new(8);

            public TransformerBlock() : base(nameof(TransformerBlock)) => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var h = x + Attention.forward(AttentionNorm.forward(x));
                return h + FeedForward.forward(FfnNorm.forward(h));
            }
        }

        public partial class SelfAttention : Module<Tensor, Tensor>
        {
            private readonly Linear Wq = Linear(8, 8, hasBias: false), Wk = Linear(8, 8, hasBias: false), Wv = Linear(8, 8, hasBias: false), Wo = Linear(8, 8, hasBias: false);

            public SelfAttention() : base(nameof(SelfAttention)) => RegisterComponents();

            public override Tensor forward(Tensor x) => Wo.forward(Join(functional.scaled_dot_product_attention(Split(Wq.forward(x)), Split(Wk.forward(x)), Split(Wv.forward(x)), is_casual: true)));
        {{Heads}}
        }

        public partial class GatedNetwork : Module<Tensor, Tensor>
        {
            private readonly Linear W1 = Linear(8, 16, hasBias: false), W2 = Linear(16, 8, hasBias: false), W3 = Linear(8, 16, hasBias: false);

            public GatedNetwork() : base(nameof(GatedNetwork)) => RegisterComponents();

            public override Tensor forward(Tensor x) => W2.forward(functional.silu(W1.forward(x)) * W3.forward(x));
        }

        public partial class RmsNorm : Module<Tensor, Tensor>
        {
            private readonly Parameter weight;

            public RmsNorm(long dim) : base(nameof(RmsNorm))
            {
                weight = Parameter(ones(dim));
                RegisterComponents();
            }

            public override Tensor forward(Tensor x) => x * rsqrt(x.pow(2).mean([-1], keepdim: true) + 1e-5) * weight;
        }
        """;

    /// <summary>Norms after the sums; a network that is a Sequential; bare words for the projections; a decoder that is the head.</summary>
    public const string BareWords = $$"""
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding embedding = Embedding(11, 8);
            private readonly ModuleList<EncoderLayer> encoderLayers = new(new EncoderLayer(), new EncoderLayer());
            private readonly Linear decoderHead = Linear(8, 11);

            public Model() : base(nameof(Model)) => RegisterComponents();

            public override Tensor forward(Tensor token_ids)
            {
                var x = embedding.forward(token_ids);
                for (var i = 0; i < encoderLayers.Count; i++)
                    x = encoderLayers[i].forward(x);
                return decoderHead.forward(x);
            }
        }

        public partial class EncoderLayer : Module<Tensor, Tensor>
        {
            private readonly MultiHead selfAttn = new();
            private readonly Sequential feed_forward = Sequential(Linear(8, 16), GELU(), Linear(16, 8));
            private readonly LayerNorm norm1 = LayerNorm(8), norm2 = LayerNorm(8);

            public EncoderLayer() : base(nameof(EncoderLayer)) => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var y = norm1.forward(x + selfAttn.forward(x));
                return norm2.forward(y + feed_forward.forward(y));
            }
        }

        public partial class MultiHead : Module<Tensor, Tensor>
        {
            private readonly Linear query = Linear(8, 8), key = Linear(8, 8), value = Linear(8, 8), fc_out = Linear(8, 8);

            public MultiHead() : base(nameof(MultiHead)) => RegisterComponents();

            public override Tensor forward(Tensor x) => fc_out.forward(Join(functional.scaled_dot_product_attention(Split(query.forward(x)), Split(key.forward(x)), Split(value.forward(x)))));
        {{Heads}}
        }
        """;

    /// <summary>No norms at all, keys narrower than queries, and names that say little.</summary>
    public const string Terse = $$"""
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding wte = Embedding(11, 8);
            private readonly ModuleList<Unit> h = new(new Unit(), new Unit());
            private readonly Linear unembed = Linear(8, 11);

            public Model() : base(nameof(Model)) => RegisterComponents();

            public override Tensor forward(Tensor ids)
            {
                var x = wte.forward(ids);
                foreach (var unit in h)
                    x = unit.forward(x);
                return unembed.forward(x);
            }
        }

        public partial class Unit : Module<Tensor, Tensor>
        {
            private readonly Mha mha = new();
            private readonly Net ff = new();

            public Unit() : base(nameof(Unit)) => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                x = x + mha.forward(x);
                x = x + ff.forward(x);
                return x;
            }
        }

        public partial class Mha : Module<Tensor, Tensor>
        {
            private readonly Linear to_q = Linear(8, 8), to_k = Linear(8, 4), to_v = Linear(8, 4);
            private readonly Sequential to_out = Sequential(Linear(8, 8), Dropout(0.1));

            public Mha() : base(nameof(Mha)) => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var q = to_q.forward(x).view(x.shape[0], x.shape[1], 2, 4).transpose(1, 2);
                var k = to_k.forward(x).view(x.shape[0], x.shape[1], 1, 4).transpose(1, 2).repeat_interleave(2, 1);
                var v = to_v.forward(x).view(x.shape[0], x.shape[1], 1, 4).transpose(1, 2).repeat_interleave(2, 1);
                return to_out.forward(functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(x.shape));
            }
        }

        public partial class Net : Module<Tensor, Tensor>
        {
            private readonly Linear a = Linear(8, 20), b = Linear(20, 8);

            public Net() : base(nameof(Net)) => RegisterComponents();

            public override Tensor forward(Tensor x) => b.forward(a.forward(x).tanh());
        }
        """;
}
