using PeftGen.Compiled;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>LoRA's formula, starts, dropout and merging.</summary>
public sealed class LoRATests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(false, 2.5)]
    [InlineData(true, 4.330127018922193)]
    public void Output_is_the_base_plus_the_scaled_product(bool rsLora, double scaling)
    {
        var (host, layer) = One(7, 5);
        var adapter = host.Create(new LoRA(rank: 3, alpha: 7.5, targets: "q_proj") { RsLora = rsLora });
        Fill.Normal(adapter, 2);
        var (a, b) = (Part(adapter, "lora_A"), Part(adapter, "lora_B"));
        Assert.Equal([3L, 7L], a.shape);
        Assert.Equal([5L, 3L], b.shape);
        foreach (long[] shape in (long[][])[[4, 7], [2, 3, 7], [7], [2, 2, 2, 7]])
        {
            var x = Fill.Values(3, shape);
            TensorAssert.Close(layer.forward(x) + (scaling * matmul(matmul(x, a.t()), b.t())), host.forward(adapter, x), Tolerance, $"output for [{string.Join(", ", shape)}]");
        }
    }

    [Fact]
    public void A_bias_in_B_is_scaled_as_the_product()
    {
        var (host, layer) = One(7, 5);
        var adapter = host.Create(new LoRA(rank: 2, alpha: 3, targets: "q_proj") { BiasInB = true });
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 2, 3, 7);
        var product = matmul(matmul(x, Part(adapter, "lora_A").t()), Part(adapter, "lora_B").t()) + Part(adapter, "lora_B_bias");
        TensorAssert.Close(layer.forward(x) + (1.5 * product), host.forward(adapter, x), Tolerance);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void Gradients_are_those_of_differences(bool biasInB, bool gated)
    {
        var (host, _) = One(4, 3);
        host.to(ScalarType.Float64);
        var adapter = host.Create(new LoRA(rank: 2, alpha: 3, targets: "q_proj") { BiasInB = biasInB, Gated = gated });
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 2, 3, 4).to(ScalarType.Float64).requires_grad_();
        Gradients.Check(() => host.forward(adapter, x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Merged_is_adapted_and_unmerged_is_the_base(bool biasInB)
    {
        var (host, layer) = One(7, 5);
        var adapter = host.Create(new LoRA(rank: 3, alpha: 4, targets: "q_proj") { BiasInB = biasInB });
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 2, 3, 7);
        var (before, adapted, weight, bias) = (host.forward(x), host.forward(adapter, x), layer.weight!.clone(), layer.bias!.clone());
        host.Merge(adapter);
        TensorAssert.Close(adapted, host.forward(x), Tolerance);
        Assert.True((host.forward(x) - before).abs().max().item<float>() > 0.1, "merging changed nothing");
        host.Unmerge(adapter);
        TensorAssert.Same(weight, layer.weight!);
        TensorAssert.Same(bias, layer.bias!);
    }

    [Fact]
    public void A_bias_in_B_needs_a_bias_to_be_merged_into()
    {
        var host = new LayerHost(("q_proj", nn.Linear(7, 5, hasBias: false)));
        var adapter = host.Create(new LoRA(rank: 3, targets: "q_proj") { BiasInB = true });
        var error = Assert.Throws<AdapterException>(() => host.Merge(adapter));
        Assert.StartsWith("q_proj: B has a bias, and the layer has none", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_new_adapter_changes_nothing_and_depends_on_the_seed_alone()
    {
        var (host, layer) = One(50, 5);
        var (one, same, other) = (host.Create(7, new LoRA(rank: 8, targets: "q_proj")), host.Create(7, new LoRA(rank: 8, targets: "q_proj")), host.Create(8, new LoRA(rank: 8, targets: "q_proj")));
        var x = Fill.Values(3, 4, 50);
        TensorAssert.Close(layer.forward(x), host.forward(one, x), 1e-7);
        TensorAssert.Same(Part(one, "lora_A"), Part(same, "lora_A"));
        Assert.NotEqual(Part(one, "lora_A")[0, 0].item<float>(), Part(other, "lora_A")[0, 0].item<float>());
        // 400 uniform values: the largest is nearly the bound 1/√50.
        Assert.InRange(Part(one, "lora_A").abs().max().item<float>(), 0.135f, 0.1415f);
    }

    [Fact]
    public void A_gaussian_start_has_the_deviation_of_one_over_the_rank()
    {
        var (host, _) = One(500, 5);
        var a = Part(host.Create(new LoRA(rank: 8, targets: "q_proj") { Init = LoRAInit.Gaussian }), "lora_A");
        Assert.InRange(a.std().item<float>(), 0.12f, 0.13f);
        Assert.True(a.abs().max().item<float>() > 0.3, "no values beyond what a uniform start has");
    }

    [Fact]
    public void Dropout_is_the_updates_alone_and_only_in_training()
    {
        var (host, layer) = One(64, 5);
        var lora = new LoRA(rank: 64, alpha: 64, targets: "q_proj") { Dropout = 0.25 };
        var (adapter, same) = (host.Create(7, lora), host.Create(7, lora));
        foreach (var each in (LayerHost.Adapter[])[adapter, same])
            using (no_grad())
            {
                Part(each, "lora_A").copy_(eye(64));
                Part(each, "lora_B").copy_(zeros(5, 64)).select(0, 0).fill_(1);
            }

        var x = ones(200, 64);
        adapter.train();
        same.train();
        var dropped = host.forward(adapter, x) - layer.forward(x);
        TensorAssert.Same(dropped, host.forward(same, x) - layer.forward(x));
        Assert.NotEqual(dropped.sum().item<float>(), (host.forward(adapter, x) - layer.forward(x)).sum().item<float>());
        // The sum of 64 entries, each 4/3 with probability 3/4, else 0.
        Assert.InRange(dropped.select(1, 0).mean().item<float>(), 62.5f, 65.5f);
        Assert.True(dropped.select(1, 0).std().item<float>() > 3, "nothing was dropped");
        adapter.eval();
        TensorAssert.Close(full(200, 64f), (host.forward(adapter, x) - layer.forward(x)).select(1, 0), Tolerance);
    }

    [Fact]
    public void Beside_a_bf16_layer_it_computes_in_fp32_and_rounds_once()
    {
        var (host, layer) = One(7, 5);
        host.to(ScalarType.BFloat16);
        var adapter = host.Create(new LoRA(rank: 3, alpha: 4, targets: "q_proj"));
        Fill.Normal(adapter, 2, std: 0.1);
        Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
        var x = Fill.Values(3, 2, 3, 7).to(ScalarType.BFloat16);
        var update = 4.0 / 3 * matmul(matmul(x.to(ScalarType.Float32), Part(adapter, "lora_A").t()), Part(adapter, "lora_B").t());
        var y = host.forward(adapter, x);
        TensorAssert.Close((layer.forward(x).to(ScalarType.Float32) + update).to(ScalarType.BFloat16), y, 1e-7);
        y.sum().backward();
        Assert.Equal(ScalarType.Float32, Part(adapter, "lora_B").grad!.dtype);

        var merged = (layer.weight!.to(ScalarType.Float32) + (4.0 / 3 * matmul(Part(adapter, "lora_B"), Part(adapter, "lora_A")))).to(ScalarType.BFloat16);
        host.Merge(adapter);
        TensorAssert.Same(merged, layer.weight!);
    }

    [Fact]
    public void Ranks_and_alphas_follow_their_patterns()
    {
        var layer = nn.Linear(5, 6);
        var host = new LayerHost(("q_proj", nn.Linear(7, 5)), ("k_proj", layer), ("v_proj", nn.Linear(6, 4)));
        var adapter = host.Create(new LoRA(rank: 2, alpha: 2, targets: "q_proj,k_proj,v_proj") { RankPattern = "(q|x{1,2})_proj=4, ^k_proj=3,proj=9", AlphaPattern = "k_proj=6" });
        Assert.Equal([4L, 7L], Part(adapter, "lora_A", "q_proj").shape);
        Assert.Equal([3L, 5L], Part(adapter, "lora_A", "k_proj").shape);
        Assert.Equal([2L, 6L], Part(adapter, "lora_A", "v_proj").shape);
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 2, 5);
        var y = SlotCalls.forward(adapter.Slot("k_proj"), new ForwardContext(), layer, x);
        TensorAssert.Close(
            layer.forward(x) + (2 * matmul(matmul(x, Part(adapter, "lora_A", "k_proj").t()), Part(adapter, "lora_B", "k_proj").t())), y, Tolerance);
    }

    [Fact]
    public void Values_that_cannot_be_are_refused_with_the_path()
    {
        var (host, _) = One(7, 5);
        Refused("q_proj: rank is 0", new LoRA(rank: 0, targets: "q_proj"));
        Refused("q_proj: rank is 2.5", new LoRA(targets: "q_proj") { RankPattern = "q_proj=2.5" });
        Refused("q_proj: Dropout is 1", new LoRA(targets: "q_proj") { Dropout = 1 });
        Refused("the pattern 'q_proj:4' is none", new LoRA(targets: "q_proj") { RankPattern = "q_proj:4" });
        Refused("the pattern '(q_proj' is no regular expression", new LoRA(targets: "q_proj") { AlphaPattern = "(q_proj=4" });
        Refused("a target is empty", new LoRA(targets: "q_proj,,v_proj"));
        var norm = new LayerHost(("q_proj", nn.LayerNorm(7)));
        Assert.Contains("q_proj: LoRA needs a linear layer, and this is a LayerNorm", Assert.Throws<AdapterException>(() => norm.Create(new LoRA(targets: "q_proj"))).Message, StringComparison.Ordinal);

        void Refused(string what, LoRA values) => Assert.Contains(what, Assert.Throws<AdapterException>(() => host.Create(values)).Message, StringComparison.Ordinal);
    }

    private static (LayerHost host, Linear layer) One(long inputs, long outputs)
    {
        var layer = nn.Linear(inputs, outputs);
        return (new LayerHost(("q_proj", layer)), layer);
    }

    private static Parameter Part(LayerHost.Adapter adapter, string name, string layer = "q_proj") => adapter.Slot(layer)!.get_parameter(name)!;
}
