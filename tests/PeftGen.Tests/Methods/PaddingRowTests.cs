using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>What an adapter has for an embedding's <c>padding_idx</c> gets no gradient, as the embedding's own row gets none.</summary>
public sealed class PaddingRowTests : IDisposable
{
    private const int Padding = 2;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _ids = tensor(new long[,] { { 2, 1, 4, 2 }, { 0, 2, 2, 3 } });

    public void Dispose() => _scope.Dispose();

    public static TheoryData<string, AdaptAttribute, string, int, int> Methods => new()
    {
        // The parameter, the dimension of the ids in it, and the place of the padding id there.
        { "LoRA", new LoRA(2, targets: "embed"), "lora_A", 1, Padding },
        { "tokens", new TrainableTokens([4, 2, 0], "embed"), "trainable_tokens_delta", 0, 1 },
        { "LoRA's tokens", new LoRA(2, targets: "head") { TrainableTokens = [4, 2, 0] }, "trainable_tokens_delta", 0, 1 },
        { "a whole embedding", new LNTuning("embed"), "weight", 0, Padding },
        { "a module to save", new LoRA(2, targets: "head") { ModulesToSave = "embed" }, "weight", 0, Padding },
    };

    [Theory, MemberData(nameof(Methods))]
    public void It_gets_no_gradient_and_the_others_do(string what, AdaptAttribute method, string name, int dimension, int place)
    {
        foreach (var (padding, learns) in new (long?, bool)[] { (Padding, false), (null, true) })
        {
            var host = new LayerHost(("embed", nn.Embedding(5, 4, padding_idx: padding)), ("head", nn.Linear(4, 3)));
            var adapter = host.Create(method);
            Fill.Normal(adapter, 2);
            host.forward(adapter, _ids).square().sum().backward();
            var gradient = adapter.named_parameters().Single(p => p.name.EndsWith(name, StringComparison.Ordinal) && p.parameter.dim() == 2 && p.name.Contains("embed", StringComparison.Ordinal)).parameter.grad!;
            var sizes = gradient.abs().sum([1 - dimension]);
            for (var id = 0; id < sizes.shape[0]; id++)
                Assert.True(sizes[id].item<float>() > 0 == (learns || id != place), $"{what}, padding {padding}: place {id} has a gradient of {sizes[id].item<float>()}");
        }
    }

    /// <summary>Values are the trained ones all the same, also of padding.</summary>
    [Fact]
    public void It_is_looked_up_like_the_others()
    {
        var host = new LayerHost(("embed", nn.Embedding(5, 4, padding_idx: Padding)));
        var adapter = host.Create(new LoRA(2, alpha: 4, targets: "embed"));
        Fill.Normal(adapter, 2);
        var adapted = host.forward(adapter, _ids);
        host.Merge(adapter);
        TensorAssert.Close(host.forward(_ids), adapted, 1e-6);
    }

    [Fact]
    public void Asking_the_layer_changes_no_bit_of_it()
    {
        // Rows longer than the largest norm are scaled down where they are looked up.
        var embedding = nn.Embedding(6, 4, padding_idx: Padding, max_norm: 0.1);
        var host = new LayerHost(("embed", embedding));
        var before = embedding.state_dict()["weight"].detach().clone();
        embedding.named_parameters().Single().parameter.requires_grad = false;
        _ = host.Create(new LoRA(2, targets: "embed"));
        TensorAssert.Same(before, embedding.state_dict()["weight"].detach());
        Assert.Null(embedding.named_parameters().Single().parameter.grad);
        Assert.False(embedding.named_parameters().Single().parameter.requires_grad);
    }

    [Fact]
    public void It_is_found_where_gradients_are_sparse_or_scaled()
    {
        foreach (var (what, embedding) in new[]
        {
            ("sparse", nn.Embedding(5, 4, padding_idx: Padding, sparse: true)),
            ("by frequency", nn.Embedding(5, 4, padding_idx: Padding, scale_grad_by_freq: true)),
        })
        {
            var host = new LayerHost(("embed", embedding));
            var adapter = host.Create(new LoRA(2, targets: "embed"));
            Fill.Normal(adapter, 2);
            host.forward(adapter, _ids).square().sum().backward();
            var gradient = adapter.named_parameters().First(p => p.name.EndsWith("lora_A", StringComparison.Ordinal)).parameter.grad!;
            Assert.True(gradient[TensorIndex.Colon, Padding].abs().max().item<float>() == 0, what);
            Assert.True(gradient[TensorIndex.Colon, 1].abs().max().item<float>() > 0);
        }
    }
}
