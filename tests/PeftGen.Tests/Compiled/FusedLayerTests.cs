using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace PeftGen.Tests.Compiled;

/// <summary>Parts of projections that are several in one.</summary>
public sealed class FusedLayerTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly FusedModel _model = new();
    private readonly Tensor _x = Fill.Values(3, 2, 5, 6);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Each_part_has_an_update_of_its_own_and_the_others_none()
    {
        using var adapter = _model.CreateAdapter();
        TensorAssert.Same(_model.forward(_x), _model.forward(adapter, _x), "at the start");
        Fill.Normal(adapter, 2);
        var (a, b) = (Part(adapter, "c_attn", "lora_A"), Part(adapter, "c_attn", "lora_B"));
        Assert.Equal([4, 6], a.shape);
        Assert.Equal([12, 2], b.shape);
        var expected = _model.Fused(_x).chunk(3, -1);
        // The scaling is alpha / rank = 3 / 2.
        var q = expected[0] + (1.5 * matmul(matmul(_x, a.narrow(0, 0, 2).t()), b.narrow(0, 0, 6).t()));
        var v = expected[2] + (1.5 * matmul(matmul(_x, a.narrow(0, 2, 2).t()), b.narrow(0, 6, 6).t()));
        TensorAssert.Close(cat([q, expected[1], v], -1), _model.Fused(adapter, _x), 1e-5);
    }

    [Theory]
    [InlineData("c_attn[v]", 1)]
    [InlineData("c_attn[k,q]", 2)]
    [InlineData("q,k,v", 3)]
    [InlineData("pairs[right]", 1)]
    [InlineData("pairs", 0)]
    public void Merged_is_adapted_and_unmerged_is_the_base(string targets, int parts)
    {
        using var adapter = _model.CreateAdapter(new LoRA(2, 3, targets) { BiasInB = true });
        Fill.Normal(adapter, 2);
        Assert.Equal(2 * Math.Max(parts, 1), adapter.named_parameters().First(p => p.name.EndsWith("lora_A", StringComparison.Ordinal)).parameter.shape[0]);
        var (before, adapted) = (_model.forward(_x), _model.forward(adapter, _x));
        Assert.False(adapted.allclose(before));
        adapter.MergeInto(_model);
        TensorAssert.Close(adapted, _model.forward(_x), 1e-5);
        adapter.UnmergeFrom(_model);
        TensorAssert.Same(before, _model.forward(_x), "unmerged");
    }

    [Fact]
    public void IA3_scales_the_parts_alone()
    {
        using var adapter = _model.CreateScalesAdapter();
        Fill.Normal(adapter, 2);
        var l = Part(adapter, "c_attn", "ia3_l").flatten();
        Assert.Equal([12], l.shape);
        var expected = _model.Fused(_x).chunk(3, -1);
        TensorAssert.Close(cat([expected[0], expected[1] * l.narrow(0, 0, 6), expected[2] * l.narrow(0, 6, 6)], -1), _model.Fused(adapter, _x), 1e-5);
        var adapted = _model.forward(adapter, _x);
        adapter.MergeInto(_model);
        TensorAssert.Close(adapted, _model.forward(_x), 1e-5);
    }

    [Theory]
    [InlineData("k,v", new[] { 1, 2 })]
    [InlineData("q", new[] { 0 })]
    [InlineData("c_attn[q,v]", new[] { 0, 2 })]
    public void Gated_IA3_has_a_gate_for_each_part(string targets, int[] parts)
    {
        using var adapter = _model.CreateScalesAdapter(new IA3(targets, "") { Gated = true });
        Fill.Normal(adapter, 2);
        var (l, w, b) = (Part(adapter, "c_attn", "ia3_l"), Part(adapter, "c_attn", "gate.weight"), Part(adapter, "c_attn", "gate.bias"));
        Assert.Equal([parts.Length, 6], w.shape);
        var gates = nn.functional.linear(_x, w, b).sigmoid().mean([1]);
        var expected = _model.Fused(_x).chunk(3, -1);
        foreach (var (i, part) in parts.Index())
            expected[part] *= gates.narrow(1, i, 1).unsqueeze(1) * l.flatten().narrow(0, 6 * i, 6);
        var records = new Dictionary<string, Tensor>();
        TensorAssert.Close(cat(expected, -1), _model.Fused(adapter, new ForwardOptions { Records = records }, _x), 1e-5);
        TensorAssert.Close(parts.Length == 1 ? gates.squeeze(1) : gates, Assert.Single(records).Value, 1e-5);
        Assert.Throws<AdapterException>(() => adapter.MergeInto(_model));
    }

    [Fact]
    public void Gated_IA3_on_parts_learns_and_comes_back_from_a_file()
    {
        using var folder = new TempFolder();
        _model.to(ScalarType.Float64);
        using var adapter = _model.CreateScalesAdapter(new IA3("k,v", "") { Gated = true });
        Fill.Normal(adapter, 2);
        var x = _x.to(ScalarType.Float64).requires_grad_();
        Gradients.Check(() => _model.forward(adapter, x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
        adapter.Save(folder.Path);
        var config = File.ReadAllText(Path.Combine(folder.Path, "adapter_config.json"));
        Assert.Contains("\"peft_type\": \"PEFTGEN_GATED_IA3\"", config, StringComparison.Ordinal);
        Assert.Contains("\"c_attn[k,v]\"", config, StringComparison.Ordinal);
        using var loaded = _model.LoadScalesAdapter(folder.Path);
        TensorAssert.Same(_model.forward(adapter, x), _model.forward(loaded, x), "loaded");
    }

    [Fact]
    public void Every_part_learns()
    {
        using var adapter = _model.CreateAdapter();
        Fill.Normal(adapter, 2);
        _model.forward(adapter, _x).sum().backward();
        foreach (var (name, parameter) in adapter.named_parameters())
            Assert.True(parameter.grad?.abs().amin().item<float>() > 0, name);
    }

    [Fact]
    public void Parts_can_be_left_out()
    {
        using var left = _model.CreateAdapter(new LoRA(2, 3, "c_attn") { Exclude = "c_attn[k]" });
        Assert.Equal([12, 2], Part(left, "c_attn", "lora_B").shape);
        Assert.Contains("match no layer", Assert.Throws<AdapterException>(() => _model.CreateAdapter(new LoRA(2, 3, "c_attn[k]") { Exclude = "c_attn" })).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("c_attn[q,v]", "PEFTGEN_PARTS_LORA", "c_attn[q,v]")]
    [InlineData("q,v", "PEFTGEN_PARTS_LORA", "c_attn[q,v]")]
    [InlineData("c_attn", "LORA", "c_attn")]
    public void Files_bring_them_back(string targets, string type, string written)
    {
        using var folder = new TempFolder();
        using var adapter = _model.CreateAdapter(new LoRA(2, 3, targets));
        Fill.Normal(adapter, 2);
        adapter.Save(folder.Path);
        var config = File.ReadAllText(Path.Combine(folder.Path, "adapter_config.json"));
        Assert.Contains($"\"peft_type\": \"{type}\"", config, StringComparison.Ordinal);
        Assert.Contains($"\"{written}\"", config, StringComparison.Ordinal);
        using var loaded = _model.LoadAdapter(folder.Path);
        TensorAssert.Same(_model.forward(adapter, _x), _model.forward(loaded, _x), "loaded");
    }

    [Theory]
    [InlineData("uneven[b]", "uneven: the layer has 10 outputs, which do not make 3 equal parts (a, b, c)")]
    [InlineData("c_attn[x]", "c_attn has the parts q, k, v.")]
    [InlineData("last[q]", "last is not known to have parts; write [Fused(…)] on its field.")]
    public void What_cannot_be_meant_is_refused(string targets, string message) =>
        Assert.Contains(message, Assert.Throws<AdapterException>(() => _model.CreateAdapter(new LoRA(2, 3, targets))).Message, StringComparison.Ordinal);

    [Fact]
    public void Inputs_are_shared_by_all_parts() =>
        Assert.Contains("feedforward", Assert.Throws<AdapterException>(() => _model.CreateScalesAdapter(new IA3("c_attn[k]", "c_attn[k]"))).Message, StringComparison.Ordinal);

    private static Parameter Part(nn.Module adapter, string layer, string name) => adapter.named_parameters().Single(p => p.name == $"{layer}.{name}").parameter;
}

/// <summary>Fused projections: known by name, declared, and declared wrongly.</summary>
[LoRA(2, 3, targets: "c_attn[q,v]"), LoRA(2, 3, targets: "c_attn,pairs,uneven,last", Group = "all"), IA3(targets: "k,v", feedforward: "", Group = "scales")]
public sealed partial class FusedModel : Module<Tensor, Tensor>
{
    private readonly Linear c_attn = Linear(6, 18);

    [Fused("left", "right")]
    private readonly Linear pairs = Linear(18, 10);

    // A size that the compiler does not see.
    private static readonly long Ten = 10;

    [Fused("a", "b", "c")]
    private readonly Linear uneven = Linear(10, Ten);

    private readonly Linear last = Linear(10, 7);

    public FusedModel() : base(nameof(FusedModel))
    {
        RegisterComponents();
        Methods.Hosts.Fill.Normal(this, 7);
    }

    public override Tensor forward(Tensor x) => last.forward(uneven.forward(pairs.forward(Fused(x))));

    public Tensor Fused(Tensor x) => c_attn.forward(x);
}
