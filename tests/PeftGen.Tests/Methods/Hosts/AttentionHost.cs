using PeftGen.Compiled;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods.Hosts;

/// <summary>Blocks of attention with fewer heads of keys than of queries and a residual, and beside them what the compiler would emit.</summary>
public sealed class AttentionHost : nn.Module<Tensor, Tensor?, Tensor>, IAdaptable
{
    private readonly ModuleList<AttentionBlock> layers;
    private readonly BaseRecord _record = new();

    public AttentionHost(int blocks, bool norm = true) : base(nameof(AttentionHost))
    {
        layers = nn.ModuleList(Enumerable.Range(0, blocks).Select(_ => new AttentionBlock(norm)).ToArray());
        RegisterComponents();
        Fill.Normal(this, 1);
    }

    public AttentionBlock this[int block] => layers[block];

    public override Tensor forward(Tensor x, Tensor? mask = null) => layers.Aggregate(x, (current, block) => block.Run(null, new ForwardContext(), current, mask));

    public Tensor forward(Adapter adapter, ForwardOptions options, Tensor x, Tensor? mask = null)
    {
        using var context = new ForwardContext(options, this);
        var current = x;
        for (var i = 0; i < layers.Count; i++)
            current = layers[i].Run(adapter.layers[i], context, current, mask);
        return current;
    }

    public Adapter Create(params AdaptAttribute[] values)
    {
        using var generator = new Generator(7);
        return _record.Create(this, new Adapter(), values, generator);
    }

    AdapterNode IAdaptable.NewAdapterNode() => new Adapter();

    public sealed class Adapter : AdapterNode, IAdapter
    {
        public AdapterList<AttentionBlock.Adapter> layers => ListAt<AttentionBlock.Adapter>("layers");

        protected override AdapterNode New() => new Adapter();

        protected override IEnumerable<Member> Members(nn.Module host) => [Member.Children("layers", ((AttentionHost)host).layers)];
    }
}

/// <summary>Four heads of queries, two of keys and values, each three wide, over ten channels.</summary>
public sealed class AttentionBlock : nn.Module<Tensor, Tensor>, IAdaptable
{
    public const long Dim = 10, Heads = 4, KeyHeads = 2, HeadDim = 3;
    private readonly Linear q_proj = nn.Linear(Dim, Heads * HeadDim);
    private readonly Linear k_proj = nn.Linear(Dim, KeyHeads * HeadDim);
    private readonly Linear v_proj = nn.Linear(Dim, KeyHeads * HeadDim);
    private readonly Linear o_proj = nn.Linear(Heads * HeadDim, Dim);
    private readonly LayerNorm? norm;

    public AttentionBlock(bool norm) : base(nameof(AttentionBlock))
    {
        this.norm = norm ? nn.LayerNorm(Dim) : null;
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => Run(null, new ForwardContext(), x, null);

    public AdapterNode NewAdapterNode() => new Adapter();

    public Tensor Norm(Tensor x) => norm is null ? x : norm.forward(x);

    /// <summary>The queries, keys and values of an input.</summary>
    public (Tensor q, Tensor k, Tensor v) Project(Tensor x) =>
        (Split(q_proj.forward(x), Heads), Split(k_proj.forward(x), KeyHeads), Split(v_proj.forward(x), KeyHeads));

    /// <summary>The sub-layer's output from queries, keys and values.</summary>
    public Tensor Attend(Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        var scores = matmul(q, k.repeat_interleave(Heads / KeyHeads, 1).transpose(-1, -2)) / Math.Sqrt(HeadDim);
        var weights = (mask is null ? scores : scores + mask).softmax(-1);
        return o_proj.forward(matmul(weights, v.repeat_interleave(Heads / KeyHeads, 1)).transpose(1, 2).flatten(2));
    }

    public Tensor Run(Adapter? adapter, ForwardContext context, Tensor x, Tensor? mask)
    {
        var (q, k, v) = Project(x);
        (k, v, mask) = SlotCalls.attach(adapter?.attention, context, x, q, k, v, mask);
        return (adapter?.residual).forward(context, norm, null, Attend(q, k, v, mask), x);
    }

    private static Tensor Split(Tensor x, long heads) => x.view(x.shape[0], x.shape[1], heads, HeadDim).transpose(1, 2);

    public sealed class Adapter : AdapterNode
    {
        public AttentionSlot? attention => At<AttentionSlot>("attention");

        public ResidualSlot? residual => At<ResidualSlot>("residual");

        protected override AdapterNode New() => new Adapter();

        protected override IEnumerable<Member> Members(nn.Module host) =>
            [Member.Attention("attention"), Member.Residual("residual", ((AttentionBlock)host).norm)];
    }
}
