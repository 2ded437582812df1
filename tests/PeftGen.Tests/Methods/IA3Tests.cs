using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>(IA)³ at outputs and at inputs.</summary>
public sealed class IA3Tests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Linear _key = nn.Linear(7, 5);
    private readonly Linear _down = nn.Linear(5, 6);
    private readonly LayerHost _host;

    public IA3Tests() => _host = new LayerHost(("k_proj", _key), ("down_proj", _down));

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Keys_are_scaled_with_their_bias_and_the_second_layer_at_its_input()
    {
        var adapter = Filled();
        Assert.Equal([5L, 1L], Scale(adapter, "k_proj").shape);
        Assert.Equal([1L, 5L], Scale(adapter, "down_proj").shape);
        var x = Fill.Values(3, 2, 4, 7);
        var k = _key.forward(x) * Scale(adapter, "k_proj").view(5);
        TensorAssert.Close(_down.forward(k * Scale(adapter, "down_proj").view(5)), _host.forward(adapter, x), Tolerance);
    }

    [Fact]
    public void A_new_adapter_changes_nothing()
    {
        var x = Fill.Values(3, 2, 4, 7);
        TensorAssert.Same(_host.forward(x), _host.forward(_host.Create(new IA3("k,ffn_out")), x));
    }

    [Fact]
    public void Gradients_are_those_of_differences()
    {
        _host.to(ScalarType.Float64);
        var adapter = Filled();
        var x = Fill.Values(3, 2, 4, 7).to(ScalarType.Float64).requires_grad_();
        Gradients.Check(() => _host.forward(adapter, x), ("k", Scale(adapter, "k_proj")), ("down", Scale(adapter, "down_proj")), ("x", x));
    }

    [Fact]
    public void Merged_is_adapted_and_unmerged_is_the_base()
    {
        var adapter = Filled();
        var x = Fill.Values(3, 2, 4, 7);
        var (adapted, state) = (_host.forward(adapter, x), _host.state_dict().ToDictionary(s => s.Key, s => s.Value.clone()));
        _host.Merge(adapter);
        TensorAssert.Close(adapted, _host.forward(x), Tolerance);
        TensorAssert.Same(state["down_proj.bias"], _down.bias!, "the bias of a layer that is scaled at its input");
        _host.Unmerge(adapter);
        foreach (var (name, value) in _host.state_dict())
            TensorAssert.Same(state[name], value, name);
    }

    [Fact]
    public void A_layer_without_a_bias_merges()
    {
        var layer = nn.Linear(7, 5, hasBias: false);
        var host = new LayerHost(("v_proj", layer));
        var adapter = host.Create(new IA3("v_proj", ""));
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 4, 7);
        var adapted = host.forward(adapter, x);
        host.Merge(adapter);
        TensorAssert.Close(adapted, host.forward(x), Tolerance);
    }

    [Fact]
    public void What_is_scaled_at_its_input_is_the_callers_choice()
    {
        var adapter = _host.Create(new IA3("k_proj,down_proj", feedforward: "k_proj"));
        Assert.Equal([1L, 7L], Scale(adapter, "k_proj").shape);
        Assert.Equal([6L, 1L], Scale(adapter, "down_proj").shape);
    }

    [Fact]
    public void Beside_a_bf16_layer_it_keeps_fp32_and_returns_bf16()
    {
        _host.to(ScalarType.BFloat16);
        var adapter = Filled();
        Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
        var x = Fill.Values(3, 4, 7).to(ScalarType.BFloat16);
        var k = (_key.forward(x).to(ScalarType.Float32) * Scale(adapter, "k_proj").view(5)).to(ScalarType.BFloat16);
        var expected = _down.forward((k.to(ScalarType.Float32) * Scale(adapter, "down_proj").view(5)).to(ScalarType.BFloat16));
        TensorAssert.Same(expected, _host.forward(adapter, x));
    }

    [Fact]
    public void A_gate_multiplies_the_vector_for_each_example()
    {
        var adapter = Gated();
        var x = Fill.Values(3, 2, 4, 7);
        var records = new Dictionary<string, Tensor>();
        var y = _host.forward(adapter, new ForwardOptions { Records = records }, x);
        var g = nn.functional.linear(x, adapter.Slot("k_proj")!.get_parameter("gate.weight")!, adapter.Slot("k_proj")!.get_parameter("gate.bias")!).sigmoid().mean([1]);
        TensorAssert.Close(g.squeeze(1), records["k_proj:selfattn_lora"], Tolerance);
        var k = _key.forward(x) * g.unsqueeze(1) * Scale(adapter, "k_proj").view(5);
        var open = nn.functional.linear(k, adapter.Slot("down_proj")!.get_parameter("gate.weight")!, adapter.Slot("down_proj")!.get_parameter("gate.bias")!).sigmoid().mean([1]);
        TensorAssert.Close(_down.forward(k) * open.unsqueeze(1) * Scale(adapter, "down_proj").view(6), y, Tolerance);
    }

    [Fact]
    public void Gated_gradients_are_those_of_differences()
    {
        _host.to(ScalarType.Float64);
        var adapter = Gated();
        var x = Fill.Values(3, 2, 4, 7).to(ScalarType.Float64).requires_grad_();
        Gradients.Check(() => _host.forward(adapter, x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
    }

    [Fact]
    public void Gated_it_does_not_merge()
    {
        Assert.False(new IA3 { Gated = true }.CanMerge);
        Assert.Contains("k_proj: IA3Slot cannot be merged", Assert.Throws<AdapterException>(() => _host.Merge(Gated())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_layers_are_refused_with_the_path()
    {
        var host = new LayerHost(("k_proj", nn.ReLU()));
        Assert.StartsWith("k_proj: (IA)³ needs a linear layer", Assert.Throws<AdapterException>(() => host.Create(new IA3("k_proj"))).Message, StringComparison.Ordinal);
    }

    private LayerHost.Adapter Filled()
    {
        var adapter = _host.Create(new IA3("k,ffn_out"));
        Fill.Normal(adapter, 2);
        return adapter;
    }

    private LayerHost.Adapter Gated()
    {
        var adapter = _host.Create(new IA3("k,ffn_out", "") { Gated = true });
        Fill.Normal(adapter, 2);
        return adapter;
    }

    private static Parameter Scale(LayerHost.Adapter adapter, string layer) => adapter.Slot(layer)!.get_parameter("ia3_l")!;
}
