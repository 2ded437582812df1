using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Gates in place of LoRA's scaling, over all tokens or real ones.</summary>
public sealed class GateTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Linear _layer = nn.Linear(7, 5);
    private readonly LayerHost _host;
    private readonly Tensor _x = Fill.Values(3, 2, 4, 7);

    public GateTests() => _host = new LayerHost(("query", _layer));

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void It_replaces_the_scaling_by_one_number_for_each_example()
    {
        var adapter = Filled(GatePooling.All, alpha: 100);
        var records = new Dictionary<string, Tensor>();
        var y = _host.forward(adapter, new ForwardOptions { Records = records }, _x);
        var g = Open(adapter).mean([1]);
        TensorAssert.Close(_layer.forward(_x) + (g.view(2, 1, 1) * Product(adapter)), y, Tolerance);
        TensorAssert.Close(g, records["query:selfattn_lora"], Tolerance);
    }

    [Fact]
    public void Masked_it_takes_no_notice_of_padding()
    {
        var adapter = Filled(GatePooling.Masked);
        var mask = tensor(new long[,] { { 1, 1, 1, 0 }, { 1, 1, 0, 0 } });
        var y = _host.forward(adapter, With(mask), _x);
        var open = Open(adapter) * mask;
        var g = stack([open[0].sum() / 3, open[1].sum() / 2]);
        TensorAssert.Close(_layer.forward(_x) + (g.view(2, 1, 1) * Product(adapter)), y, Tolerance);

        var padded = cat([_x, Fill.Values(4, 2, 3, 7)], 1);
        var wide = _host.forward(adapter, With(cat([mask, zeros(2, 3, dtype: ScalarType.Int64)], 1)), padded);
        TensorAssert.Close(y, wide.slice(1, 0, 4, 1), Tolerance, "the same tokens with more padding");
        TensorAssert.Close(
            _layer.forward(_x), _host.forward(adapter, With(zeros_like(mask)), _x), Tolerance, "an example without a real token");
    }

    [Fact]
    public void Masked_it_needs_a_mask_that_fits()
    {
        var adapter = Filled(GatePooling.Masked);
        var none = Assert.Throws<AdapterException>(() => _host.forward(adapter, _x));
        Assert.StartsWith("query: the gate takes its mean over real tokens, and this call has no attention mask", none.Message, StringComparison.Ordinal);
        var wrong = Assert.Throws<AdapterException>(() => _host.forward(adapter, With(ones(2, 3)), _x));
        Assert.StartsWith("query: the attention mask is [2, 3], expected [2, 4]", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gated_it_does_not_merge()
    {
        var adapter = Filled(GatePooling.All);
        Assert.False(new LoRA { Gated = true }.CanMerge);
        Assert.Contains("query: LoRASlot cannot be merged", Assert.Throws<AdapterException>(() => _host.Merge(adapter)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Records_are_told_apart_by_layer_and_site()
    {
        var records = new Dictionary<string, Tensor>
        {
            ["bert.encoder.layer.11.attention.self.query:selfattn_lora"] = tensor(new[] { 1f, 2f }),
            ["bert.encoder.layer.11.attention.self.value:selfattn_lora"] = tensor(new[] { 3f, 4f }),
            ["bert.encoder.layer.2.output:output_adapter"] = tensor(new[] { 5f, 6f }),
            ["something.else"] = tensor(7f),
        };
        var layers = GateRecords.ByLayer(records);
        Assert.Equal(["11.selfattn_lora", "2.output_adapter"], layers.Keys.Order());
        TensorAssert.Same(tensor(new[,] { { 1f, 3f }, { 2f, 4f } }), layers["11.selfattn_lora"]);
        TensorAssert.Same(tensor(new[,] { { 5f }, { 6f } }), layers["2.output_adapter"]);
    }

    private LayerHost.Adapter Filled(GatePooling pooling, double alpha = 8)
    {
        var adapter = _host.Create(new LoRA(rank: 3, alpha: alpha, targets: "q") { Gated = true, Pooling = pooling });
        Fill.Normal(adapter, 2);
        return adapter;
    }

    private Tensor Open(LayerHost.Adapter adapter) => nn.functional.linear(_x, Part(adapter, "gate.weight"), Part(adapter, "gate.bias")).sigmoid().squeeze(-1);

    private Tensor Product(LayerHost.Adapter adapter) => matmul(matmul(_x, Part(adapter, "lora_A").t()), Part(adapter, "lora_B").t());

    private static ForwardOptions With(Tensor mask) => new() { Inputs = new Dictionary<InputRole, Tensor> { [InputRole.AttentionMask] = mask } };

    private static Tensor Part(LayerHost.Adapter adapter, string name) => adapter.Slot("query")!.get_parameter(name)!;
}
