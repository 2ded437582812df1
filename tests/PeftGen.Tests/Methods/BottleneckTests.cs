using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Tests.Methods;

/// <summary>The bottleneck after a sub-layer, with and without a norm and a gate.</summary>
public sealed class BottleneckTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _x = Fill.Values(3, 2, 5, AttentionBlock.Dim);

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(true, "relu", 1.0)]
    [InlineData(true, "swish", 2.5)]
    [InlineData(false, "gelu", 0.5)]
    public void It_adds_to_the_sum_what_it_makes_of_the_normed_sum(bool norm, string nonLinearity, double scaling)
    {
        var host = new AttentionHost(blocks: 1, norm);
        var adapter = host.Create(new Bottleneck(reduction: 3, targets: "layers.*") { NonLinearity = nonLinearity, Scaling = scaling });
        Fill.Normal(adapter, 2);
        Assert.Equal([3L, 10L], Part(adapter, "down_weight").shape);
        var (q, k, v) = host[0].Project(_x);
        var sum = host[0].Attend(q, k, v, null) + _x;
        var down = linear(host[0].Norm(sum), Part(adapter, "down_weight"), Part(adapter, "down_bias"));
        var active = nonLinearity switch { "relu" => relu(down), "gelu" => gelu(down), _ => down * down.sigmoid() };
        var expected = host[0].Norm((scaling * linear(active, Part(adapter, "up_weight"), Part(adapter, "up_bias"))) + sum);
        var found = host.forward(adapter, new ForwardOptions(), _x);
        TensorAssert.Close(expected, found, Tolerance);
        Assert.True((found - host.forward(_x)).abs().max().item<float>() > 0.1, "it changes nothing");
    }

    [Fact]
    public void Gradients_are_those_of_differences()
    {
        var host = new AttentionHost(blocks: 1);
        host.to(ScalarType.Float64);
        var adapter = host.Create(new Bottleneck(reduction: 5, targets: "layers.*") { NonLinearity = "swish", Gated = true });
        Fill.Normal(adapter, 2);
        var x = _x.to(ScalarType.Float64).requires_grad_();
        Gradients.Check(() => host.forward(adapter, new ForwardOptions(), x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
    }

    [Fact]
    public void A_gate_multiplies_what_is_added()
    {
        var host = new AttentionHost(blocks: 1);
        var (open, gated) = (host.Create(new Bottleneck(reduction: 5, targets: "layers.*")), host.Create(new Bottleneck(reduction: 5, targets: "layers.*") { Gated = true }));
        Fill.Normal(open, 2);
        Fill.Normal(gated, 2);
        using (no_grad())
        {
            foreach (var (name, parameter) in open.named_parameters())
                gated.get_parameter(name)!.copy_(parameter);
            // Closed but for a hundredth: the gate's input does not matter.
            Part(gated, "weight").zero_();
            Part(gated, "bias").fill_(Math.Log(0.01 / 0.99));
            Part(open, "up_weight").mul_(0.01);
            Part(open, "up_bias").mul_(0.01);
        }

        var records = new Dictionary<string, Tensor>();
        TensorAssert.Close(host.forward(open, new ForwardOptions(), _x), host.forward(gated, new ForwardOptions { Records = records }, _x), Tolerance);
        TensorAssert.Close(full(2, 0.01f), records["layers.0:output_adapter"], Tolerance);
    }

    [Fact]
    public void A_new_one_is_nearly_the_base()
    {
        var host = new AttentionHost(blocks: 1);
        var adapter = host.Create(new Bottleneck(reduction: 5, targets: "layers.*"));
        Assert.InRange(Part(adapter, "down_weight").std().item<float>(), 0.012f, 0.028f);
        TensorAssert.Close(host.forward(_x), host.forward(adapter, new ForwardOptions(), _x), 1e-2);
    }

    [Fact]
    public void What_cannot_be_is_refused_with_the_path()
    {
        var host = new AttentionHost(blocks: 1);
        Refused("layers.0: the non-linearity is 'tanh', expected relu, gelu or swish.", new Bottleneck(targets: "layers.*") { NonLinearity = "tanh" });
        Refused("layers.0: reduction is 0.5, expected at least 1.", new Bottleneck(reduction: 0.5, targets: "layers.*"));

        void Refused(string message, Bottleneck values) => Assert.Equal(message, Assert.Throws<AdapterException>(() => host.Create(values)).Message);
    }

    private static Tensor Part(AttentionHost.Adapter adapter, string name) => adapter.named_parameters().First(p => p.name.EndsWith("." + name, StringComparison.Ordinal)).parameter;
}
