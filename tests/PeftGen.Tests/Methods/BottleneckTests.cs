using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Tests.Methods;

/// <summary>The bottleneck after a sub-layer, with and without a norm and a gate. Its forms' formulas are held against recorded numbers elsewhere.</summary>
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
        Assert.Equal([3L, 10L], Part(adapter, "down.weight").shape);
        var sum = SubLayer(host) + _x;
        var down = linear(host[0].Norm(sum), Part(adapter, "down.weight"), Part(adapter, "down.bias"));
        var active = nonLinearity switch { "relu" => relu(down), "gelu" => gelu(down), _ => down * down.sigmoid() };
        var expected = host[0].Norm((scaling * linear(active, Part(adapter, "up.weight"), Part(adapter, "up.bias"))) + sum);
        var found = host.forward(adapter, new ForwardOptions(), _x);
        TensorAssert.Close(expected, found, Tolerance);
        Assert.True((found - host.forward(_x)).abs().max().item<float>() > 0.1, "it changes nothing");
    }

    public static TheoryData<string, AdaptAttribute> Forms => new()
    {
        { "Pfeiffer with a gate", new Bottleneck(5, "layers.*") { NonLinearity = "swish", Gated = true } },
        { "Houlsby with a norm", new Houlsby(5, "layers.*") { LnBefore = true, LearnedScaling = LearnedScaling.Single } },
        { "the norm after the residual", new Bottleneck(5, "layers.*") { NonLinearity = "tanh", LnAfter = true, AdapterResidualBeforeLn = true } },
        { "parallel", new ParallelAdapter(5, "layers.*") { NonLinearity = "gelu", LnAfter = true } },
        { "Adapter+", new AdapterPlus(5, "layers.*") { StochasticDepth = 0 } },
        { "after the sum", new Bottleneck(5, "layers.*") { NonLinearity = "sigmoid", ResidualBeforeLn = AdapterResidual.PostAdd } },
        { "Compacter", new Compacter(2.5, "layers.*") { PhmDim = 2 } },
        { "Compacter with all in factors", new Compacter(2.5, "layers.*") { PhmDim = 2, PhmRank = 2, FactorizedPhmRule = true, SharedPhmW = true } },
        { "Compacter++ with matrices of its own", new CompacterPlusPlus(2.5, "layers.*") { PhmDim = 2, FactorizedPhmW = false, SharedPhmRule = false } },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void Gradients_are_those_of_differences(string what, AdaptAttribute form)
    {
        var host = new AttentionHost(blocks: 1);
        host.to(ScalarType.Float64);
        var adapter = host.Create(form);
        Fill.Normal(adapter, 2);
        var x = _x.to(ScalarType.Float64).requires_grad_();
        Assert.NotEmpty(what);
        Gradients.Check(() => host.forward(adapter, new ForwardOptions(), x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Beside_a_narrow_host_it_computes_in_float32_and_returns_the_hosts_type(string what, AdaptAttribute form)
    {
        var (narrow, wide) = (new AttentionHost(blocks: 1), new AttentionHost(blocks: 1));
        narrow.to(ScalarType.BFloat16);
        var (beside, adapter) = (narrow.Create(form), wide.Create(form));
        Assert.All(beside.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
        Fill.Normal(beside, 2, std: 0.3);
        Fill.Normal(adapter, 2, std: 0.3);
        var found = narrow.forward(beside, new ForwardOptions(), _x.to(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, found.dtype);
        TensorAssert.Close(wide.forward(adapter, new ForwardOptions(), _x), found.to(ScalarType.Float32), 0.1, what);
    }

    [Theory]
    [InlineData("relu2", 0, 2.25)]
    [InlineData("relu6", 0, 1.5)]
    [InlineData("leaky_relu", -0.02, 1.5)]
    [InlineData("gelu_10", -0.04550026, 1.3997892)]
    [InlineData("gelu_new", -0.0454023, 1.3995716)]
    [InlineData("quick_gelu", -0.0643414, 1.3916622)]
    [InlineData("silu", -0.2384058, 1.2263617)]
    [InlineData("mish", -0.2525015, 1.4033783)]
    [InlineData("tanh", -0.9640276, 0.9051483)]
    [InlineData("sigmoid", 0.1192029, 0.8175745)]
    [InlineData("laplace", 0, 0.9975286)]
    [InlineData("linear", -2, 1.5)]
    public void Non_linearities_are_those_of_their_names(string name, double atMinusTwo, double atOneAndAHalf)
    {
        // D x is its bias alone, and U hands two of its channels on: what is added is f of two known numbers.
        var host = new AttentionHost(blocks: 1, norm: false);
        host.to(ScalarType.Float64);
        var x = _x.to(ScalarType.Float64);
        var adapter = host.Create(new Houlsby(5, "layers.*") { NonLinearity = name });
        using (no_grad())
        {
            foreach (var parameter in adapter.parameters())
                parameter.zero_();
            Part(adapter, "down.bias").copy_(tensor(new double[] { -2, 1.5 }));
            Part(adapter, "up.weight")[0, 0] = 1;
            Part(adapter, "up.weight")[1, 1] = 1;
        }

        var added = host.forward(adapter, new ForwardOptions(), x) - host.forward(x);
        TensorAssert.Close(full([2, 5], atMinusTwo, dtype: ScalarType.Float64), added.select(-1, 0), Tolerance);
        TensorAssert.Close(full([2, 5], atOneAndAHalf, dtype: ScalarType.Float64), added.select(-1, 1), Tolerance);
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
            Part(gated, "gate.weight").zero_();
            Part(gated, "gate.bias").fill_(Math.Log(0.01 / 0.99));
            Part(open, "up.weight").mul_(0.01);
            Part(open, "up.bias").mul_(0.01);
        }

        var records = new Dictionary<string, Tensor>();
        TensorAssert.Close(host.forward(open, new ForwardOptions(), _x), host.forward(gated, new ForwardOptions { Records = records }, _x), Tolerance);
        TensorAssert.Close(full(2, 0.01f), records["layers.0:output_adapter"], Tolerance);
    }

    [Fact]
    public void Dropout_and_stochastic_depth_act_on_what_is_added_in_training_alone()
    {
        var host = new AttentionHost(blocks: 1, norm: false);
        var adapter = host.Create(new Bottleneck(reduction: 2, targets: "layers.*") { Dropout = 0.5 });
        var whole = host.Create(new Bottleneck(reduction: 2, targets: "layers.*") { StochasticDepth = 0.5 });
        Fill.Normal(adapter, 2);
        Fill.Normal(whole, 2);
        var x = Fill.Values(5, 64, 3, AttentionBlock.Dim);
        adapter.eval();
        whole.eval();
        var update = Added(adapter);
        TensorAssert.Close(update, Added(whole), Tolerance);
        adapter.train();
        whole.train();
        // What is kept counts twice, so that the mean stays.
        var kept = Added(adapter) / update;
        Assert.Equal([0f, 2f], kept.flatten().data<float>().Select(v => MathF.Round(v, 2)).Select(MathF.Abs).Distinct().Order());
        Assert.InRange(kept.mean().item<float>(), 0.9f, 1.1f);
        var rows = (Added(whole) / update).reshape(64, -1);
        TensorAssert.Close(rows.mean([1L], keepdim: true).expand_as(rows), rows, 1e-2);
        Assert.InRange(rows.select(1, 0).mean().item<float>(), 0.5f, 1.5f);
        Assert.Equal([0f, 2f], rows.select(1, 0).contiguous().data<float>().Select(v => MathF.Abs(MathF.Round(v, 2))).Distinct().Order());

        Tensor Added(AttentionHost.Adapter of) => host.forward(of, new ForwardOptions(), x) - host.forward(x);
    }

    [Fact]
    public void New_ones_start_as_their_papers_have_it()
    {
        var host = new AttentionHost(blocks: 1);
        var serial = host.Create(new Bottleneck(reduction: 5, targets: "layers.*"));
        Assert.InRange(Part(serial, "down.weight").std().item<float>(), 0.012f, 0.028f);
        TensorAssert.Close(host.forward(_x), host.forward(serial, new ForwardOptions(), _x), 1e-2);

        var parallel = host.Create(new ParallelAdapter(targets: "layers.*"));
        Assert.True(Part(parallel, "down.weight").abs().max().item<float>() is > 0.2f and <= 0.3163f, "D is not uniform within 1/√10");
        Assert.Equal(host.forward(_x).bytes, host.forward(parallel, new ForwardOptions(), _x).bytes);

        var plus = host.Create(new AdapterPlus(0.02, "layers.*"));
        var start = Part(plus, "down.weight");
        Assert.InRange(start.abs().max().item<float>(), 0.0195f, 0.02f);
        Assert.InRange(start.std().item<float>(), 0.0083f, 0.0093f);
        Assert.Equal(ones(10).bytes, Part(plus, "scaling").bytes);

        var compacter = host.Create(new Compacter(2.5, "layers.*") { PhmDim = 2 });
        Assert.InRange(Part(compacter, "phm_rule").abs().max().item<float>(), 1e-6f, 6e-4f);
        TensorAssert.Close(host.forward(_x), host.forward(compacter, new ForwardOptions(), _x), 1e-2);
    }

    [Fact]
    public void Blocks_can_be_left_out_or_have_a_reduction_of_their_own()
    {
        var host = new AttentionHost(blocks: 3);
        var adapter = host.Create(new Bottleneck(5, "layers.*") { LeaveOut = [1], ReductionPattern = "2=2, 1=10" });
        Assert.Equal([(0, 2L), (2, 5L)], Enumerable.Range(0, 3).Where(i => adapter.layers[i]?.residual is not null)
            .Select(i => (i, adapter.layers[i]!.residual!.named_parameters().First(p => p.name == "down.weight").parameter.shape[0])));
    }

    /// <summary>The compiler knows the names from the metadata.</summary>
    [Fact]
    public void The_compiler_knows_all_non_linearities()
    {
        var error = Assert.Throws<AdapterException>(() => new AttentionHost(blocks: 1).Create(new Bottleneck(targets: "layers.*") { NonLinearity = "rule" })).Message;
        foreach (var method in (Type[])[typeof(Bottleneck), typeof(LoReFT), typeof(Invertible)])
        {
            var names = method.GetProperty(nameof(Bottleneck.NonLinearity))!.GetCustomAttributes(typeof(OneOfAttribute), true).Cast<OneOfAttribute>().Single().Names.Split(',');
            Assert.EndsWith($"expected one of {string.Join(", ", names)}.", error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_cannot_be_is_refused_with_the_path()
    {
        var host = new AttentionHost(blocks: 2);
        Refused("layers.0: the non-linearity is 'rule', expected one of relu, ", new Bottleneck(targets: "layers.*") { NonLinearity = "rule" });
        Refused("layers.0: reduction is 0, expected more than 0.", new Bottleneck(reduction: 0, targets: "layers.*"));
        Refused("layers.0: Dropout is 1, expected a probability", new Houlsby(targets: "layers.*") { Dropout = 1 });
        Refused("layers.0: StochasticDepth is -0.5, expected a probability", new Houlsby(targets: "layers.*") { StochasticDepth = -0.5 });
        Refused("layers.0: PhmDim is 4, which does not divide both 10 and 5, ", new Compacter(2, "layers.*"));
        Refused("layers.1: the model's width is 10 and the bottleneck's 4, and SharedPhmW shares factors for 10 and 2.", new Compacter(5, "layers.*") { PhmDim = 2, SharedPhmW = true, ReductionPattern = "1=2.5" });
        Refused("layers.0: PhmDim is 2 and PhmRank is 0, expected at least 1.", new Compacter(5, "layers.*") { PhmDim = 2, PhmRank = 0 });
        var twice = Assert.Throws<AdapterException>(() => host.Create(new Compacter(5, "layers.0") { PhmDim = 2 }, new Compacter(2, "layers.1") { PhmDim = 5 })).Message;
        Assert.StartsWith("layers.1: [Compacter(reduction: 2, targets: \"layers.1\", PhmDim = 5)] shares what another of its group has in another form.", twice, StringComparison.Ordinal);

        void Refused(string message, AdaptAttribute values) => Assert.StartsWith(message, Assert.Throws<AdapterException>(() => host.Create(values)).Message, StringComparison.Ordinal);
    }

    private Tensor SubLayer(AttentionHost host)
    {
        var (q, k, v) = host[0].Project(_x);
        return host[0].Attend(q, k, v, null);
    }

    private static Tensor Part(AttentionHost.Adapter adapter, string name) => adapter.named_parameters().First(p => p.name.EndsWith("." + name, StringComparison.Ordinal)).parameter;
}
