using PeftGen.Compiled;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>A slot disposes what it makes in between: after a call only its result lives, until the caller disposes that.</summary>
public sealed class LiveTensorTests
{
    public static TheoryData<string, AdaptAttribute> Layers => new()
    {
        { "LoRA", new LoRA(targets: "layer") { Dropout = 0.1 } },
        { "LoRA with a bias in B", new LoRA(targets: "layer") { BiasInB = true } },
        { "LoRA with a gate", new LoRA(targets: "layer") { Gated = true } },
        { "LoRA with a masked gate", new LoRA(targets: "layer") { Gated = true, Pooling = GatePooling.Masked } },
        { "LoRA with the layer's bias", new LoRA(targets: "layer") { Bias = LoRABias.LoraOnly } },
        { "(IA)³", new IA3("layer", "") },
        { "(IA)³ at the input", new IA3("layer", "layer") },
        { "(IA)³ with a gate", new IA3("layer", "") { Gated = true } },
        { "MTL-LoRA", new MTLLoRA(2, targets: "layer") { Projections = 3, Dropout = 0.1 } },
        { "a trained copy", new LNTuning("layer") },
    };

    [Theory]
    [MemberData(nameof(Layers))]
    public void A_layer_leaves_only_its_result(string what, AdaptAttribute method)
    {
        foreach (var dtype in (ScalarType[])[ScalarType.Float32, ScalarType.BFloat16])
        {
            using var host = new LayerHost(("layer", nn.Linear(6, 5)));
            host.to(dtype);
            using var adapter = host.Create(method);
            using var x = Fill.Values(3, 2, 4, 6).to(dtype);
            using var mask = ones(2, 4);
            using var tasks = tensor(new long[] { 1, 0 });
            Check($"{what} beside {dtype}", () => host.forward(adapter, new ForwardOptions { TaskIds = tasks, Inputs = new Dictionary<InputRole, Tensor> { [InputRole.AttentionMask] = mask } }, x).Dispose());
        }
    }

    [Fact]
    public void Other_sites_leave_only_their_results()
    {
        using var embedding = new LayerHost(("embed_tokens", nn.Embedding(9, 5)));
        using var tokens = embedding.Create(new TrainableTokens([3, 1]));
        using var whole = embedding.Create(new LNTuning("embed_tokens"));
        using var ids = tensor(new long[,] { { 1, 2, 3 } });
        Check("trainable tokens", () => embedding.forward(tokens, ids).Dispose());
        Check("a whole embedding", () => embedding.forward(whole, ids).Dispose());

        using var mask1 = ones(1, 3);
        var real = new ForwardOptions { Inputs = new Dictionary<InputRole, Tensor> { [InputRole.AttentionMask] = mask1 } };
        foreach (var form in (ReFT[])[new LoReFT(2, 1, 1, "embed_tokens") { StoresBase = true, NonLinearity = "gelu" }, new NoReFT(2, 1, 1, "embed_tokens"), new DiReFT(2, 1, 1, "embed_tokens")])
        {
            using var states = embedding.Create(form);
            Check(form.ToString(), () => embedding.forward(states, real, ids).Dispose());
        }

        using var coupling = embedding.Create(new Invertible(2, "embed_tokens", null));
        Check("an invertible adapter", () => embedding.forward(coupling, ids).Dispose());

        using var host = new AttentionHost(blocks: 1);
        using var bottleneck = host.Create(new Bottleneck(reduction: 2, targets: "layers.*") { Gated = true });
        using var form = host.Create(new Houlsby(reduction: 2, targets: "layers.*") { LnBefore = true, LnAfter = true, AdapterResidualBeforeLn = true, LearnedScaling = LearnedScaling.Channel, Dropout = 0.1, StochasticDepth = 0.1, NonLinearity = "mish" });
        using var compacter = host.Create(new CompacterPlusPlus(reduction: 2.5, targets: "layers.*") { PhmDim = 2, SharedPhmW = true, FactorizedPhmRule = true, ResidualBeforeLn = AdapterResidual.PostAdd, NonLinearity = "gelu_new" });
        using var prefix = host.Create(new PrefixTuning(length: 2) { Projection = 3, Gated = true, SharedGate = false });
        using var x = Fill.Values(3, 2, 4, AttentionBlock.Dim);
        using var k = Fill.Values(4, 2, AttentionBlock.KeyHeads, 4, AttentionBlock.HeadDim);
        using var mask = zeros(2, 1, 1, 4);
        foreach (var (what, residual) in new[] { ("a bottleneck", bottleneck), ("Houlsby's", form), ("Compacter", compacter) })
            Check(what, () =>
            {
                using var context = new ForwardContext();
                residual.layers[0]!.residual.forward(context, null, null, x, x).Dispose();
            });
        Check("a prefix", () =>
        {
            using var context = new ForwardContext();
            _ = SlotCalls.attach(prefix.layers[0]!.attention, context, x, k, k, k, mask);
        });
    }

    private static void Check(string what, Action call)
    {
        call();
        var before = Live();
        for (var i = 0; i < 5; i++)
            call();
        Assert.Equal($"{what}: {before}", $"{what}: {Live()}");
    }

    private static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
