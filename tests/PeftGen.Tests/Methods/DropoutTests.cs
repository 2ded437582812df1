using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>LoRA's dropout with a mask that is known: it acts on the adapter's path alone.</summary>
public sealed class DropoutTests : IDisposable
{
    private const double P = 0.4;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Linear _layer = nn.Linear(6, 5);
    private readonly Tensor _x = Fill.Values(3, 2, 4, 6);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Only_the_adapters_path_is_dropped()
    {
        var host = new LayerHost(("layer", _layer));
        var adapter = host.Create(new LoRA(rank: 2, alpha: 6, targets: "layer") { Dropout = P });
        Fill.Normal(adapter, 2);
        adapter.train();
        var (a, b) = (Part(adapter, "lora_A"), Part(adapter, "lora_B"));
        // The masks come from the adapter's own generator, whose seed is part of its training state.
        var seed = adapter.TrainingState().Values.Single(value => value.dtype == ScalarType.Int64 && value.numel() == 1).item<long>();
        using var generator = new Generator((ulong)seed);
        var mask = empty(_x.shape).bernoulli_(1 - P, generator);
        Assert.InRange(mask.mean().item<float>(), 0.2f, 0.95f);

        var y = host.forward(adapter, _x);
        y.square().sum().backward();

        var (freeA, freeB) = (a.detach().clone().requires_grad_(), b.detach().clone().requires_grad_());
        var expected = _layer.forward(_x) + 3 * matmul(matmul(_x * mask / (1 - P), freeA.t()), freeB.t());
        expected.square().sum().backward();
        TensorAssert.Close(expected, y, 1e-6);
        TensorAssert.Close(freeA.grad!, a.grad!, 1e-5, "A");
        TensorAssert.Close(freeB.grad!, b.grad!, 1e-5, "B");

        adapter.eval();
        TensorAssert.Close(_layer.forward(_x) + 3 * matmul(matmul(_x, a.t()), b.t()), host.forward(adapter, _x), 1e-6, "in evaluation");
    }

    private static Parameter Part(LayerHost.Adapter adapter, string name) =>
        adapter.named_parameters().Single(p => p.name.EndsWith(name, StringComparison.Ordinal)).parameter;
}
