using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using Xunit;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>LoRA and (IA)³ beside convolutions and embeddings.</summary>
public sealed class LayerKindTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string> Convolutions => [.. s_convolutions.Keys];

    private static readonly Dictionary<string, (Func<Convolution> make, long[] input)> s_convolutions = new()
    {
        ["1d"] = (() => nn.Conv1d(4, 6, 3, stride: 2, padding: 1, dilation: 2), [2, 4, 11]),
        ["1d without a bias"] = (() => nn.Conv1d(4, 6, 3, bias: false), [2, 4, 11]),
        ["1d that keeps the size"] = (() => nn.Conv1d(4, 6, 3, padding: Padding.Same, dilation: 2), [2, 4, 11]),
        ["1d in groups"] = (() => nn.Conv1d(4, 6, 3, groups: 2), [2, 4, 11]),
        ["2d"] = (() => nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 0), (1, 2)), [2, 4, 7, 9]),
        ["2d in groups"] = (() => nn.Conv2d(4, 4, 3, groups: 4, padding: 1), [2, 4, 5, 5]),
        ["3d"] = (() => nn.Conv3d(2, 3, 2, padding: 1), [1, 2, 3, 4, 3]),
    };

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void Of_a_convolution_the_update_goes_through_A_with_its_stride_and_through_B_with_its_groups(string name)
    {
        var (make, input) = s_convolutions[name];
        var layer = make();
        var host = new LayerHost(("conv", layer));
        var adapter = host.Create(new LoRA(rank: 4, alpha: 6, targets: "conv"));
        var x = Fill.Values(3, input);
        TensorAssert.Same(host.forward(x), host.forward(adapter, x));
        Fill.Normal(adapter, 2);
        var (a, b) = (Part(adapter, "lora_A"), Part(adapter, "lora_B"));
        Assert.Equal([4, layer.in_channels, .. layer.kernel_size], a.shape);
        Assert.Equal(layer.out_channels, b.shape[0]);

        // BA as one kernel over all inputs, one group of outputs after the other.
        var (rank, outputs) = (4 / layer.groups, layer.out_channels / layer.groups);
        var kernel = cat([.. Enumerable.Range(0, (int)layer.groups).Select(g =>
            matmul(b.narrow(0, g * outputs, outputs).flatten(1), a.narrow(0, g * rank, rank).flatten(1)))]).view([layer.out_channels, layer.in_channels, .. layer.kernel_size]);
        var padding = layer.padding_type is null ? layer.padding! : [.. layer.dilation.Zip(layer.kernel_size, (d, k) => d * (k - 1) / 2)];
        var update = input.Length switch
        {
            3 => nn.functional.conv1d(x, kernel, null, layer.stride[0], padding[0], layer.dilation[0]),
            4 => nn.functional.conv2d(x, kernel, null, layer.stride, padding, layer.dilation),
            _ => nn.functional.conv3d(x, kernel, null, layer.stride, padding, layer.dilation),
        };
        TensorAssert.Close(host.forward(x) + (1.5 * update), host.forward(adapter, x), Tolerance);
    }

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void Of_a_convolution_gradients_are_those_of_differences(string name)
    {
        var (make, input) = s_convolutions[name];
        var host = new LayerHost(("conv", make()));
        host.to(ScalarType.Float64);
        foreach (var values in (AdaptAttribute[])[new LoRA(rank: 4, alpha: 6, targets: "conv") { BiasInB = true }, new IA3(targets: "conv", feedforward: "")])
        {
            var adapter = host.Create(values);
            Fill.Normal(adapter, 2);
            var x = Fill.Values(3, input).to(ScalarType.Float64).requires_grad_();
            Gradients.Check(() => host.forward(adapter, x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
        }
    }

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void IA3_scales_a_convolutions_channels_and_merges_at_outputs_and_inputs(string name)
    {
        var (make, input) = s_convolutions[name];
        foreach (var atInput in (bool[])[false, true])
        {
            var layer = make();
            var host = new LayerHost(("conv", layer));
            var adapter = host.Create(new IA3("conv", atInput ? "conv" : ""));
            Fill.Normal(adapter, 2);
            var x = Fill.Values(3, input);
            long[] channels = [1, -1, .. Enumerable.Repeat(1L, input.Length - 2)];
            var l = Part(adapter, "ia3_l").flatten().view(channels);
            var expected = atInput ? layer.forward(x * l) : layer.forward(x) * l;
            var (adapted, weight) = (host.forward(adapter, x), layer.weight!.clone());
            TensorAssert.Close(expected, adapted, Tolerance);
            host.Merge(adapter);
            TensorAssert.Close(adapted, host.forward(x), Tolerance);
            host.Unmerge(adapter);
            TensorAssert.Same(weight, layer.weight!);
        }
    }

    [Fact]
    public void IA3_scales_what_an_embedding_and_a_norm_put_out_and_merges()
    {
        var (embedding, norm) = (nn.Embedding(7, 4), nn.LayerNorm(4));
        var host = new LayerHost(("embed", embedding), ("norm", norm));
        var ids = tensor(new long[,] { { 1, 6, 0 }, { 3, 3, 2 } });
        foreach (var target in (string[])["embed", "norm"])
        {
            var adapter = host.Create(new IA3(target, feedforward: ""));
            TensorAssert.Same(host.forward(ids), host.forward(adapter, ids));
            Fill.Normal(adapter, 2);
            var l = Part(adapter, "ia3_l", target);
            Assert.Equal([4L, 1], l.shape);
            var expected = target == "embed" ? norm.forward(embedding.forward(ids) * l.flatten()) : norm.forward(embedding.forward(ids)) * l.flatten();
            var (adapted, plain) = (host.forward(adapter, ids), host.forward(ids));
            TensorAssert.Close(expected, adapted, Tolerance);
            host.Merge(adapter);
            TensorAssert.Close(adapted, host.forward(ids), Tolerance);
            host.Unmerge(adapter);
            TensorAssert.Same(plain, host.forward(ids));
            Assert.Contains($"{target}: 'feedforward' needs a linear layer or a convolution", Assert.Throws<AdapterException>(() => host.Create(new IA3(target, target))).Message, StringComparison.Ordinal);
        }

        host.to(ScalarType.Float64);
        using var both = host.Create(new IA3("embed,norm", feedforward: ""));
        Fill.Normal(both, 3);
        Gradients.Check(() => host.forward(both, ids), [.. both.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
    }

    [Theory]
    [MemberData(nameof(Convolutions))]
    public void A_convolution_takes_the_update_into_its_weight_unless_it_has_groups(string name)
    {
        var (make, input) = s_convolutions[name];
        var layer = make();
        var host = new LayerHost(("conv", layer));
        var adapter = host.Create(new LoRA(rank: 4, alpha: 6, targets: "conv"));
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, input);
        var (adapted, weight) = (host.forward(adapter, x), layer.weight!.clone());
        if (layer.groups > 1)
        {
            Assert.Contains("sees all inputs, so it is no change of the layer's weight", Assert.Throws<AdapterException>(() => host.Merge(adapter)).Message, StringComparison.Ordinal);
            TensorAssert.Same(weight, layer.weight!);
            return;
        }

        host.Merge(adapter);
        TensorAssert.Close(adapted, host.forward(x), Tolerance);
        host.Unmerge(adapter);
        TensorAssert.Same(weight, layer.weight!);
    }

    [Fact]
    public void A_convolution_that_cannot_carry_LoRA_is_refused_with_its_path()
    {
        Refused("conv: rank is 3 and the layer has 2 groups, expected a multiple", nn.Conv1d(4, 6, 3, groups: 2), 3);
        Refused("conv: the layer pads with Reflect", nn.Conv1d(4, 6, 3, padding: 1, padding_mode: PaddingModes.Reflect), 4);
        Refused("conv: the layer keeps its input's size with a kernel of [4]", nn.Conv1d(4, 6, 4, padding: Padding.Same), 4);

        static void Refused(string what, Convolution layer, int rank) => Assert.StartsWith(
            what, Assert.Throws<AdapterException>(() => new LayerHost(("conv", layer)).Create(new LoRA(rank, targets: "conv"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ScalarType.Int64)]
    [InlineData(ScalarType.Int32)]
    public void Of_an_embedding_the_update_is_a_row_of_A_through_B(ScalarType type)
    {
        var layer = nn.Embedding(9, 5);
        var host = new LayerHost(("embed", layer));
        var adapter = host.Create(new LoRA(rank: 3, alpha: 6, targets: "embed") { Dropout = 0.5 });
        var ids = tensor(new long[,] { { 0, 8, 3 }, { 3, 1, 1 } }).to(type);
        adapter.train();
        TensorAssert.Same(host.forward(ids), host.forward(adapter, ids));
        Assert.Equal(0, Part(adapter, "lora_A", "embed").abs().max().item<float>());
        Fill.Normal(adapter, 2);
        var (a, b) = (Part(adapter, "lora_A", "embed"), Part(adapter, "lora_B", "embed"));
        Assert.Equal([3L, 9L], a.shape);
        Assert.Equal([5L, 3L], b.shape);
        var rows = a.t().index_select(0, ids.flatten().to(ScalarType.Int64)).view(2, 3, 3);
        var adapted = host.forward(adapter, ids);
        TensorAssert.Close(host.forward(ids) + (2 * matmul(rows, b.t())), adapted, Tolerance);

        host.Merge(adapter);
        TensorAssert.Close(adapted, host.forward(ids), Tolerance);
    }

    [Fact]
    public void Of_an_embedding_gradients_are_those_of_differences()
    {
        var host = new LayerHost(("embed", nn.Embedding(4, 5)));
        host.to(ScalarType.Float64);
        var adapter = host.Create(new LoRA(rank: 3, alpha: 6, targets: "embed"));
        Fill.Normal(adapter, 2);
        var ids = tensor(new long[,] { { 0, 2, 3 }, { 3, 1, 1 } });
        Gradients.Check(() => host.forward(adapter, ids), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
    }

    [Fact]
    public void A_bias_in_B_is_refused_beside_an_embedding()
    {
        var host = new LayerHost(("embed", nn.Embedding(4, 5)));
        var error = Assert.Throws<AdapterException>(() => host.Create(new LoRA(rank: 3, targets: "embed") { BiasInB = true }));
        Assert.StartsWith("embed: BiasInB is for layers that have inputs to add to", error.Message, StringComparison.Ordinal);
    }

    private static Parameter Part(LayerHost.Adapter adapter, string name, string layer = "conv") => adapter.Slot(layer)!.get_parameter(name)!;
}
