using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Adapters;

/// <summary>Mixed rows at layers: adapters that act on a layer's output share its call, and others run it for their own rows.</summary>
public sealed class MixedLayerTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Counted _layer = new();
    private readonly LayerHost _model;
    private readonly Tensor _x = Fill.Values(3, 6, 4, 6);

    public MixedLayerTests() => _model = new LayerHost(("o_proj", _layer));

    public static TheoryData<string, AdaptAttribute, AdaptAttribute, int> Pairs => new()
    {
        { "LoRA", new LoRA(2, targets: "o_proj"), new LoRA(3, targets: "o_proj") { BiasInB = true }, 1 },
        { "LoRA with a gate", new LoRA(2, targets: "o_proj") { Gated = true }, new LoRA(3, targets: "o_proj"), 1 },
        { "(IA)³", new IA3("o_proj", ""), new LoRA(3, targets: "o_proj"), 1 },
        { "MTL-LoRA", new MTLLoRA(1, 2, targets: "o_proj"), new IA3("o_proj", ""), 1 },
        { "ReFT", new LoReFT(2, targets: "o_proj"), new LoRA(3, targets: "o_proj"), 1 },
        { "(IA)³ at the input", new IA3("o_proj", "o_proj"), new LoRA(3, targets: "o_proj"), 3 },
    };

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Rows_are_as_alone_and_the_layer_runs_no_more_than_needed(string what, AdaptAttribute first, AdaptAttribute second, int calls)
    {
        var (a, b) = (Changed(1, first), Changed(2, second));
        foreach (var entries in (LayerHost.Adapter?[][])[[a, a, b, b, null, null], [b, null, a, b, null, a]])
        {
            _layer.Calls = 0;
            var mixed = _model.forward(Rows.Of(entries), _x);
            Assert.Equal((what, calls), (what, _layer.Calls));
            for (var row = 0; row < entries.Length; row++)
                TensorAssert.Close(Alone(entries[row], row), mixed.narrow(0, row, 1), Tolerance, $"{what}, row {row}");
        }
    }

    [Fact]
    public void Several_slots_share_the_call_where_all_of_them_act_on_the_output()
    {
        var both = Changed(1, new LoRA(2, targets: "o_proj"), new IA3("o_proj", ""));
        Assert.Equal(1, CallsOf(both));
        Assert.Equal(3, CallsOf(Changed(2, new LoRA(2, targets: "o_proj"), new IA3("o_proj", "o_proj"))));

        int CallsOf(LayerHost.Adapter adapter)
        {
            _layer.Calls = 0;
            LayerHost.Adapter?[] entries = [adapter, null, Changed(3, new LoRA(3, targets: "o_proj")), null, adapter, null];
            var mixed = _model.forward(Rows.Of(entries), _x);
            var calls = _layer.Calls;
            for (var row = 0; row < entries.Length; row++)
                TensorAssert.Close(Alone(entries[row], row), mixed.narrow(0, row, 1), Tolerance, $"row {row}");
            return calls;
        }
    }

    [Fact]
    public void Each_adapter_trains_on_its_own_rows()
    {
        var (a, b) = (Changed(1, new LoRA(2, targets: "o_proj")), Changed(2, new IA3("o_proj", "")));
        LayerHost.Adapter?[] entries = [a, b, null, b, a, a];
        _model.forward(Rows.Of(entries), _x).square().sum().backward();
        var mixed = new[] { a, b }.SelectMany(adapter => adapter.parameters()).Select(p => p.grad!.clone()).ToList();
        a.zero_grad();
        b.zero_grad();
        for (var row = 0; row < entries.Length; row++)
            if (entries[row] is not null)
                Alone(entries[row], row).square().sum().backward();
        foreach (var (expected, found) in new[] { a, b }.SelectMany(adapter => adapter.named_parameters()).Zip(mixed))
            TensorAssert.Close(expected.parameter.grad!, found, 1e-4, expected.name);
    }

    private LayerHost.Adapter Changed(ulong seed, params AdaptAttribute[] methods)
    {
        var adapter = _model.Create(seed, methods);
        Fill.Normal(adapter, seed);
        adapter.eval();
        return adapter;
    }

    private Tensor Alone(LayerHost.Adapter? adapter, int row) => adapter is null ? _model.forward(_x.narrow(0, row, 1)) : _model.forward(adapter, _x.narrow(0, row, 1));

    /// <summary>A linear layer that counts its calls.</summary>
    private sealed class Counted : nn.Module<Tensor, Tensor>, ILinearLayer
    {
        private readonly Linear linear = nn.Linear(6, 5);

        public Counted() : base(nameof(Counted)) => RegisterComponents();

        public int Calls { get; set; }

        public Parameter Weight => linear.weight!;

        public Parameter? Bias => linear.bias;

        public bool IsTransposed => false;

        public override Tensor forward(Tensor x)
        {
            Calls++;
            return linear.forward(x);
        }
    }
}
