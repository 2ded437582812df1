using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>Types, devices and the model with its adapter as one module.</summary>
public sealed class PlaceTests
{
    [Fact]
    public void In_a_bf16_host_the_adapter_is_fp32_and_learns()
    {
        using var model = new ProofModel();
        model.to(ScalarType.BFloat16);
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter(generator: Proof.Seed(1));
        Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));

        using var logits = model.forward(adapter, tokens);
        Assert.Equal(ScalarType.BFloat16, logits.dtype);
        var losses = Proof.Train(model, adapter, tokens, 100);
        Assert.True(losses[^10..].Average() < 0.9 * losses[..10].Average(), $"loss went from {losses[..10].Average()} to {losses[^10..].Average()}");
    }

    [Fact]
    public void An_adapter_follows_the_conversion_of_adapter_and_base()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter();
        adapter.eval();
        Proof.Randomize(adapter);
        using var before = model.forward(adapter, tokens);

        adapter.to(ScalarType.Float64);
        model.to(ScalarType.Float64);
        Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float64, p.dtype));
        using var after = model.forward(adapter, tokens);
        Assert.Equal(ScalarType.Float64, after.dtype);
        TensorAssert.Close(before, after, 1e-5);
    }

    [Fact]
    public void With_is_a_module_that_moves_and_switches_both()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter();
        Proof.Randomize(adapter);
        nn.Module<Tensor, Tensor> with = model.With(adapter);

        with.eval();
        Assert.All(model.modules().Concat(adapter.modules()), m => Assert.False(m.training));
        using var direct = model.forward(adapter, tokens);
        using var through = with.call(tokens);
        TensorAssert.Same(direct, through);

        with.to(ScalarType.Float64);
        Assert.All(model.parameters().Concat(adapter.parameters()), p => Assert.Equal(ScalarType.Float64, p.dtype));
        using var moved = with.call(tokens);
        TensorAssert.Close(direct, moved, 1e-5);

        with.train();
        Assert.All(model.modules().Concat(adapter.modules()), m => Assert.True(m.training));
        Assert.Equal(model.parameters().Count() + adapter.parameters().Count(), with.parameters().Count());

        with.Dispose();
        adapter.eval();
        using var afterwards = model.forward(adapter, tokens);
        TensorAssert.Same(moved, afterwards, "after With was disposed");
    }

    [Fact]
    public void The_main_path_runs_on_CUDA()
    {
        Assert.SkipUnless(cuda.is_available(), "torch finds no CUDA device here; build with -p:PeftGenTorch=cuda-linux or cuda-windows where there is one.");
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var onDevice = tokens.cuda();
        using var adapter = model.CreateAdapter(generator: Proof.Seed(1));
        adapter.eval();
        Proof.Randomize(adapter);
        using var onCpu = model.forward(adapter, tokens);

        using var with = model.With(adapter);
        with.to(CUDA);
        Assert.All(adapter.parameters(), p => Assert.Equal(DeviceType.CUDA, p.device_type));
        using var there = model.forward(adapter, onDevice);
        TensorAssert.Close(onCpu, there, 1e-3);
        adapter.MergeInto(model);
        using var merged = model.forward(onDevice);
        TensorAssert.Close(there, merged, 1e-3, "merged");
        adapter.UnmergeFrom(model);

        with.train();
        var losses = Proof.Train(model, adapter, onDevice, 100);
        Assert.True(losses[^10..].Average() < losses[..10].Average());
    }
}
