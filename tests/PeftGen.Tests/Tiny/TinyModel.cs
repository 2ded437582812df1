using PeftGen.Compiled;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Tiny;

/// <summary>
/// A model with every kind of site, and beside it by hand what the compiler would emit: the tests of composing, saving and loading
/// depend on the library alone.
/// </summary>
public sealed class TinyModel : nn.Module<Tensor, Tensor>, IAdaptable
{
    public const int Dim = 6;
    private readonly ModuleList<TinyBlock> blocks;
    private readonly Sequential head;
    private readonly BaseRecord _record = new();

    public TinyModel(ulong seed = 1) : base(nameof(TinyModel))
    {
        blocks = nn.ModuleList(new TinyBlock(), new TinyBlock());
        head = nn.Sequential(("dense", nn.Linear(Dim, 5)), ("act", nn.Tanh()), ("out", nn.Linear(5, 3)));
        RegisterComponents();
        using var generator = new Generator(seed);
        using var quiet = no_grad();
        foreach (var parameter in parameters())
            parameter.normal_(generator: generator);
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        return head.forward(blocks.Aggregate(x, (current, block) => block.forward(current))).MoveToOuterDisposeScope();
    }

    public Tensor forward<TModel>(AdapterOf<TModel> adapter, Tensor x) where TModel : nn.Module => forward(adapter, new ForwardOptions(), x);

    public Tensor forward<TModel>(AdapterOf<TModel> given, ForwardOptions options, Tensor x) where TModel : nn.Module
    {
        var adapter = _record.Own<Adapter>(this, given);
        using var context = _record.Open(this, adapter, options);
        if (context.RunsBase)
            return forward(x);
        using var scope = NewDisposeScope();
        var current = x;
        for (var i = 0; i < blocks.Count; i++)
            current = blocks[i].forward(adapter.blocks[i]!, context, current);
        return adapter.head.forward(context, head, current).MoveToOuterDisposeScope();
    }

    public TinyAdapter CreateAdapter(ulong seed, params AdaptAttribute[] values)
    {
        using var generator = new Generator(seed);
        return _record.Create(this, new TinyAdapter(), values, generator);
    }

    public TinyAdapter LoadAdapter(string directory, params AdaptAttribute[] declared) => _record.Load(this, new TinyAdapter(), declared, directory);

    public OtherAdapter CreateOtherAdapter(ulong seed, params AdaptAttribute[] values)
    {
        using var generator = new Generator(seed);
        return _record.Create(this, new OtherAdapter(), values, generator);
    }

    public void Merge(TinyAdapter adapter) => _record.Merge(this, adapter, keepBase: true);

    public void Unmerge(TinyAdapter adapter) => _record.Unmerge(this, adapter);

    AdapterNode IAdaptable.NewAdapterNode() => new Adapter();

    public class Adapter : AdapterOf<TinyModel>
    {
        public AdapterList<TinyBlock.Adapter> blocks => ListAt<TinyBlock.Adapter>("blocks");

        public LayerSlot? head => At<LayerSlot>("head");

        protected override AdapterNode New() => new Adapter();

        protected override IEnumerable<Member> Members(nn.Module host)
        {
            var model = (TinyModel)host;
            yield return Member.Children("blocks", model.blocks);
            yield return Member.Layer("head", model.head);
        }
    }

    /// <summary>The adapters of the default group.</summary>
    public sealed class TinyAdapter : Adapter, IAdapter
    {
        protected override AdapterNode New() => new TinyAdapter();
    }

    /// <summary>The adapters of another group.</summary>
    public sealed class OtherAdapter : Adapter, IAdapter
    {
        protected override AdapterNode New() => new OtherAdapter();
    }
}

/// <summary>Attention with one head, then two linear layers with a scale, a residual and a norm.</summary>
public sealed class TinyBlock : nn.Module<Tensor, Tensor>, IAdapted<Tensor, Tensor>
{
    private readonly Linear query = nn.Linear(TinyModel.Dim, TinyModel.Dim);
    private readonly Linear up = nn.Linear(TinyModel.Dim, 8);
    private readonly Linear down = nn.Linear(8, TinyModel.Dim);
    private readonly LayerNorm norm = nn.LayerNorm(TinyModel.Dim);
    private readonly Parameter scale = nn.Parameter(ones(8));

    public TinyBlock() : base(nameof(TinyBlock)) => RegisterComponents();

    public override Tensor forward(Tensor x) => Run(null, new ForwardContext(), x);

    public Tensor forward(AdapterNode adapter, ForwardContext context, Tensor x) => Run((Adapter)adapter, context, x);

    public Tensor call(AdapterNode adapter, ForwardContext context, Tensor x) => Run((Adapter)adapter, context, x);

    public AdapterNode NewAdapterNode() => new Adapter();

    private Tensor Run(Adapter? adapter, ForwardContext context, Tensor x)
    {
        using var q = (adapter?.query).forward(context, query, x);
        using var heads = q.unsqueeze(1);
        using var keys = x.unsqueeze(1);
        using var mask = zeros(1, 1, x.shape[1], x.shape[1]);
        var (k, v, m) = SlotCalls.attach(adapter?.attention, context, x, heads, keys, keys, mask);
        using var mixed = nn.functional.scaled_dot_product_attention(heads, k, v, m);
        using var attended = mixed.squeeze(1);
        using var wide = (adapter?.up).forward(context, up, attended);
        using var scaled = wide * SlotCalls.read(adapter?.scale, context, scale);
        using var h = (adapter?.down).forward(context, down, scaled);
        return (adapter?.output).forward(context, norm, adapter?.norm, h, x);
    }

    public sealed class Adapter : AdapterNode
    {
        public LayerSlot? query => At<LayerSlot>("query");

        public LayerSlot? up => At<LayerSlot>("up");

        public LayerSlot? down => At<LayerSlot>("down");

        public LayerSlot? norm => At<LayerSlot>("norm");

        public ParameterSlot? scale => At<ParameterSlot>("scale");

        public ResidualSlot? output => At<ResidualSlot>("output");

        public AttentionSlot? attention => At<AttentionSlot>("attention");

        protected override AdapterNode New() => new Adapter();

        protected override IEnumerable<Member> Members(nn.Module host)
        {
            var block = (TinyBlock)host;
            yield return Member.Layer("query", block.query);
            yield return Member.Layer("up", block.up);
            yield return Member.Layer("down", block.down);
            yield return Member.Layer("norm", block.norm);
            yield return Member.Parameter("scale", block.scale);
            yield return Member.Residual("output", block.norm);
            yield return Member.Attention("attention");
        }
    }
}
