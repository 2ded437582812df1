using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Adapters;

/// <summary>Training that goes on after a break gives the bits that it would have given without.</summary>
public sealed class TrainingStateTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TinyModel _model = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Training_resumes_bit_for_bit(int stepsBefore)
    {
        var adapter = Create(1);
        Train(adapter, stepsBefore);
        adapter.SaveTrainingState(_folder["state.safetensors"]);
        var resumed = Create(2);
        resumed.LoadTrainingState(_folder["state.safetensors"]);
        Train(adapter, 3);
        Train(resumed, 3);
        foreach (var ((name, expected), (_, found)) in adapter.named_parameters().Zip(resumed.named_parameters()))
            TensorAssert.Same(expected, found, name);
    }

    [Fact]
    public void The_state_is_a_copy_with_every_parameter()
    {
        var adapter = Create(1);
        var state = adapter.TrainingState();
        Assert.Equal(
            ["blocks.0.up.delta", "blocks.1.up.delta", "dropout.seed", "prefix.values"], state.Keys.Where(key => key != "dropout.state.cpu").Order(StringComparer.Ordinal));
        var before = state["blocks.0.up.delta"].clone();
        Train(adapter, 1);
        TensorAssert.Same(before, state["blocks.0.up.delta"]);
    }

    [Fact]
    public void Another_adapter_s_state_is_refused_and_changes_nothing()
    {
        var state = Create(1).TrainingState();
        var other = _model.CreateAdapter(3, new Delta("up,dense"));
        var before = other.parameters().First().clone();
        var message = Assert.Throws<AdapterException>(() => other.LoadTrainingState(state)).Message;
        Assert.Contains("Missing: 1 (head.dense.delta)", message, StringComparison.Ordinal);
        Assert.Contains("Surplus: 1 (prefix.values)", message, StringComparison.Ordinal);
        TensorAssert.Same(before, other.parameters().First());
        Assert.Contains("parts", Assert.Throws<AdapterException>(() => Stack.Of(other).TrainingState()).Message, StringComparison.Ordinal);
    }

    private TinyModel.TinyAdapter Create(ulong seed) => _model.CreateAdapter(seed, new Delta("up", scale: 0.1, dropout: 0.5), new Prefix(2, "blocks.0,blocks.1"));

    private void Train(TinyModel.TinyAdapter adapter, int steps)
    {
        // Without a state of its own, so that the adapter's alone decides.
        var optimizer = optim.SGD(adapter.parameters(), 0.01);
        using var generator = new Generator(5);
        using var x = randn([2, 4, TinyModel.Dim], generator: generator);
        for (var step = 0; step < steps; step++)
        {
            optimizer.zero_grad();
            using var loss = _model.forward(adapter, x).pow(2).mean();
            loss.backward();
            optimizer.step();
        }
    }
}
