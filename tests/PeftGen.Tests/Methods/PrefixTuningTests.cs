using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Prefixes before keys and values, with and without a gate.</summary>
public sealed class PrefixTuningTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private const long Width = AttentionBlock.KeyHeads * AttentionBlock.HeadDim;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly AttentionHost _host = new(blocks: 2);
    private readonly Tensor _x = Fill.Values(3, 2, 5, AttentionBlock.Dim);

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Keys_and_values_begin_with_the_layers_prefix(bool masked)
    {
        var adapter = Filled(new PrefixTuning(length: 3));
        // The second token hides from all, in the second example every token does: the prefix is seen nevertheless.
        var mask = masked ? tensor(new[] { 0f, -1e9f, 0f, 0f, 0f, -1e9f, -1e9f, -1e9f, -1e9f, -1e9f }).view(2, 1, 1, 5) : null;
        var table = Table(adapter).view(3, 2, 2, AttentionBlock.KeyHeads, AttentionBlock.HeadDim);
        var x = _x;
        for (var layer = 0; layer < 2; layer++)
        {
            var (q, k, v) = _host[layer].Project(x);
            var wide = mask is null ? null : cat([zeros(2, 1, 1, 3), mask], -1);
            x = _host[layer].Norm(_host[layer].Attend(q, cat([Prefix(layer, 0), k], 2), cat([Prefix(layer, 1), v], 2), wide) + x);
        }

        var found = _host.forward(adapter, new ForwardOptions(), _x, mask);
        TensorAssert.Close(x, found, Tolerance);
        Assert.True((found - _host.forward(_x, mask)).abs().max().item<float>() > 0.1, "the prefix changes nothing");

        Tensor Prefix(int layer, int value) => table.select(1, layer).select(1, value).transpose(0, 1).unsqueeze(0).expand(2, -1, -1, -1);
    }

    [Fact]
    public void A_mask_for_all_keys_at_once_is_widened()
    {
        var adapter = Filled(new PrefixTuning(length: 3));
        TensorAssert.Close(
            _host.forward(adapter, new ForwardOptions(), _x, zeros(2, 1, 5, 5)), _host.forward(adapter, new ForwardOptions(), _x, zeros(1, 1, 1, 1)), Tolerance);
    }

    [Fact]
    public void Gradients_are_those_of_differences()
    {
        _host.to(ScalarType.Float64);
        var adapter = Filled(new PrefixTuning(length: 2) { Gated = true });
        var x = _x.to(ScalarType.Float64).requires_grad_();
        Gradients.Check(() => _host.forward(adapter, new ForwardOptions(), x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
    }

    [Fact]
    public void All_layers_share_one_normal_table()
    {
        var adapter = _host.Create(new PrefixTuning(length: 100));
        var table = Table(adapter);
        Assert.Equal([100, 2 * 2 * Width], table.shape);
        Assert.InRange(table.std().item<float>(), 0.95f, 1.05f);
        var stored = adapter.Slots().SelectMany(s => s.Stored(FileFormat.AdapterHub)).Single();
        Assert.Equal("prefix_tuning.prefix_tunings.{name}.self_prefix.control_trans", stored.Key);
    }

    [Fact]
    public void A_gate_of_its_own_multiplies_each_examples_prefix()
    {
        var adapter = Filled(new PrefixTuning(length: 3, targets: "layers.0") { Gated = true });
        var (w, b) = (Part(adapter, "weight"), Part(adapter, "bias"));
        var g = matmul(_x, w.t()).add(b).sigmoid().mean([1, 2]);
        var records = new Dictionary<string, Tensor>();
        var found = _host.forward(adapter, new ForwardOptions { Records = records }, _x);
        TensorAssert.Close(g, records["layers.0:self_prefix"], Tolerance);
        TensorAssert.Close(g.unsqueeze(1), GateRecords.ByLayer(records)["0.self_prefix"], Tolerance);

        var prefix = Table(adapter).view(3, 2, AttentionBlock.KeyHeads, AttentionBlock.HeadDim);
        var (q, k, v) = _host[0].Project(_x);
        var own = _host[0].Attend(q, cat([Gated(0), k], 2), cat([Gated(1), v], 2), null);
        TensorAssert.Close(_host[1].Run(null, new ForwardContext(), _host[0].Norm(own + _x), null), found, Tolerance);

        Tensor Gated(int value) => prefix.select(1, value).transpose(0, 1).unsqueeze(0) * g.view(2, 1, 1, 1);
    }

    [Fact]
    public void A_prefix_does_not_merge_and_knows_the_width_of_keys()
    {
        Assert.False(new PrefixTuning().CanMerge);
        Assert.All(_host.Create(new PrefixTuning(2)).Slots(), slot => Assert.False(slot.CanMerge));
        Assert.Contains("length is 0, expected at least 1", Assert.Throws<AdapterException>(() => _host.Create(new PrefixTuning(0))).Message, StringComparison.Ordinal);
        var other = Assert.Throws<AdapterException>(() => _host.Create(new PrefixTuning(2, "layers.0"), new PrefixTuning(3, "layers.1")));
        Assert.StartsWith("layers.1: found keys 6 wide and a prefix of 3, expected 6 and 2", other.Message, StringComparison.Ordinal);
    }

    private AttentionHost.Adapter Filled(AdaptAttribute values)
    {
        var adapter = _host.Create(values);
        Fill.Normal(adapter, 2);
        return adapter;
    }

    private static Tensor Table(AttentionHost.Adapter adapter) => Part(adapter, "control_trans");

    private static Tensor Part(AttentionHost.Adapter adapter, string name) => adapter.named_parameters().First(p => p.name.EndsWith("." + name, StringComparison.Ordinal)).parameter;
}
