using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>In a float64 model nothing is cut to float32, no scalar either.</summary>
public sealed class Float64Tests : IDisposable
{
    private const double Tolerance = 1e-14;
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string, AdaptAttribute> Merging => new()
    {
        { "LoRA", new LoRA(3, 1, "fc,out") },
        { "LoRA, rank-stabilised", new LoRA(3, 1, "fc,out") { RsLora = true } },
        { "LoRA with a bias in B", new LoRA(3, 1, "fc,out") { BiasInB = true } },
        { "LoRA on an embedding", new LoRA(3, 1, "embed") },
        { "(IA)³", new IA3("fc,out", "out") },
        { "norms", new LNTuning("norm") },
    };

    [Theory, MemberData(nameof(Merging))]
    public void Merged_is_adapted(string what, AdaptAttribute method)
    {
        var host = Host();
        var adapter = host.Create(method);
        Fill.Normal(adapter, 2, 0.3);
        var ids = tensor(new long[,] { { 1, 4, 2 }, { 3, 0, 2 } });
        var adapted = host.forward(adapter, ids);
        Assert.Equal(ScalarType.Float64, adapted.dtype);
        host.Merge(adapter);
        TensorAssert.Close(host.forward(ids), adapted, Tolerance, what);
    }

    [Fact]
    public void LoRA_on_a_convolution()
    {
        var host = new LayerHost(("conv", nn.Conv1d(4, 6, 3)));
        host.to(ScalarType.Float64);
        Fill.Normal(host, 1);
        var adapter = host.Create(new LoRA(3, 1, "conv"));
        Fill.Normal(adapter, 2, 0.3);
        var x = randn([2, 4, 7], dtype: ScalarType.Float64);
        var adapted = host.forward(adapter, x);
        host.Merge(adapter);
        TensorAssert.Close(host.forward(x), adapted, Tolerance);
    }

    [Fact]
    public void MTL_LoRA_s_scaling()
    {
        var host = new LayerHost(("fc", nn.Linear(4, 5)));
        host.to(ScalarType.Float64);
        var adapter = host.Create(new MTLLoRA(1, 3, 1, "fc"));
        Fill.Normal(adapter, 2);
        var x = randn([2, 4], dtype: ScalarType.Float64);
        var p = adapter.named_parameters().ToDictionary(e => e.name[(e.name.LastIndexOf('.') + 1)..], e => e.parameter);
        var update = nn.functional.linear(nn.functional.linear(x, p["lora_A"]) * p["lora_lambda_0"], p["lora_B"][0]) / 3;
        TensorAssert.Close(host.forward(x) + update, host.forward(adapter, x), Tolerance);
    }

    [Theory]
    [InlineData("gelu_new")]
    [InlineData("quick_gelu")]
    [InlineData("leakyrelu")]
    [InlineData("laplace")]
    [InlineData("mish")]
    public void A_bottleneck_s_scaling_and_non_linearity(string name)
    {
        var host = new AttentionHost(1, norm: false);
        host.to(ScalarType.Float64);
        var adapter = host.Create(new ParallelAdapter(2, "layers.*") { Scaling = 0.1, NonLinearity = name });
        Fill.Normal(adapter, 2);
        var x = randn([2, 3, AttentionBlock.Dim], dtype: ScalarType.Float64);
        var p = adapter.named_parameters().ToDictionary(e => string.Join('.', e.name.Split('.')[^2..]), e => e.parameter);
        var down = nn.functional.linear(x, p["down.weight"], p["down.bias"]);
        var open = name switch
        {
            "gelu_new" => down * 0.5 * (1 + ((down + (down.pow(3) * 0.044715)) * Math.Sqrt(2 / Math.PI)).tanh()),
            "quick_gelu" => down * (down * 1.702).sigmoid(),
            "leakyrelu" => where(down.gt(0), down, down * 0.01),
            "laplace" => 0.5 * (1 + ((down - 0.707107) / (0.282095 * Math.Sqrt(2))).erf()),
            _ => down * (1 + down.exp()).log().tanh(),
        };
        var expected = host.forward(x) + (nn.functional.linear(open, p["up.weight"], p["up.bias"]) * 0.1);
        TensorAssert.Close(expected, host.forward(adapter, new ForwardOptions(), x), Tolerance);
    }

    private static LayerHost Host()
    {
        var host = new LayerHost(("embed", nn.Embedding(5, 4)), ("fc", nn.Linear(4, 6)), ("norm", nn.LayerNorm(6)), ("out", nn.Linear(6, 4)));
        host.to(ScalarType.Float64);
        Fill.Normal(host, 1, 0.5);
        return host;
    }
}
