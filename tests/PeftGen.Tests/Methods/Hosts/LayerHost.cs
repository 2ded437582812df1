using PeftGen.Compiled;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods.Hosts;

/// <summary>Built-in layers one after the other, under names of one's choice, and beside them what the compiler would emit.</summary>
public sealed class LayerHost : nn.Module<Tensor, Tensor>, IAdaptable
{
    private readonly (string name, nn.Module<Tensor, Tensor> layer)[] _layers;
    private readonly BaseRecord _record = new();

    public LayerHost(params (string name, nn.Module<Tensor, Tensor> layer)[] layers) : base(nameof(LayerHost))
    {
        _layers = layers;
        foreach (var (name, layer) in layers)
            register_module(name, layer);
        Fill.Normal(this, 1);
    }

    public override Tensor forward(Tensor x) => _layers.Aggregate(x, (current, each) => each.layer.forward(current));

    public Tensor forward(Adapter adapter, Tensor x) => forward(adapter, new ForwardOptions(), x);

    public Tensor forward(Adapter adapter, ForwardOptions options, Tensor x)
    {
        if (_record.RunsBase(adapter))
            return forward(x);
        using var context = new ForwardContext(options, this);
        return _layers.Aggregate(x, (current, each) => adapter.Slot(each.name).forward(context, each.layer, current));
    }

    public Adapter Create(params AdaptAttribute[] values) => Create(7, values);

    public Adapter Create(ulong seed, params AdaptAttribute[] values)
    {
        using var generator = new Generator(seed);
        return _record.Create(this, new Adapter(), values, generator);
    }

    public Adapter Load(string directory, params AdaptAttribute[] declared) => _record.Load(this, new Adapter(), declared, directory);

    public void Merge(Adapter adapter) => _record.Merge(this, adapter, keepBase: true);

    public void Unmerge(Adapter adapter) => _record.Unmerge(this, adapter);

    protected override void RegisterComponents() { }

    AdapterNode IAdaptable.NewAdapterNode() => new Adapter();

    public sealed class Adapter : AdapterNode, IAdapter
    {
        public LayerSlot? Slot(string name) => At<LayerSlot>(name);

        protected override AdapterNode New() => new Adapter();

        protected override IEnumerable<Member> Members(nn.Module host) =>
            ((LayerHost)host)._layers.Select(each => Member.Layer(each.name, each.layer));
    }
}
