using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using Xunit;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

[Collection(nameof(TorchGenerator))]
public sealed class FastLinearTests
{
    // 128 rows and a matrix of 2^16 numbers and more, whose sizes are multiples of 192, take the other kernel, the rest torch's own.
    public static TheoryData<long[], long, long, bool> Shapes => new()
    {
        { [4, 32, 384], 384, 576, true },
        { [4, 32, 384], 384, 576, false },
        { [128, 576], 576, 192, true },
        { [2, 4, 16, 576], 576, 192, true },
        { [3, 43, 384], 384, 576, true },
        { [4, 32, 256], 256, 320, true },
        { [128, 512], 512, 1024, true },
        { [5, 24], 24, 10, true },
        { [24], 24, 10, true },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void It_computes_and_differentiates_what_Linear_does(long[] shape, long inputs, long outputs, bool hasBias)
    {
        using var scope = NewDisposeScope();
        random.manual_seed(3);
        using var fast = new FastLinear(inputs, outputs, hasBias);
        using var plain = Plain(fast, inputs, outputs);
        var (x, y) = (randn(shape, requires_grad: true), randn(shape, requires_grad: true));
        using (no_grad())
            y.copy_(x);

        var (a, b) = (fast.forward(x), plain.forward(y));
        var slope = randn(a.shape);
        a.backward([slope]);
        b.backward([slope]);

        Near(b, a);
        Near(y.grad!, x.grad!);
        Near(plain.weight.grad!, fast.weight.grad!);
        if (hasBias)
            Near(plain.bias!.grad!, fast.bias!.grad!);
        else
            Assert.Null(fast.bias);
    }

    [Fact]
    public void Inputs_that_are_no_contiguous_blocks_are_taken()
    {
        using var scope = NewDisposeScope();
        using var fast = new FastLinear(384, 576);
        using var plain = Plain(fast, 384, 576);
        var x = randn(384, 128).t();

        Near(plain.forward(x), fast.forward(x));
        Near(plain.forward(x.expand(2, 128, 384)), fast.forward(x.expand(2, 128, 384)));
    }

    [Fact]
    public void Other_types_are_computed_by_torch()
    {
        using var scope = NewDisposeScope();
        using var fast = new FastLinear(256, 320).to(ScalarType.Float64);
        using var plain = Plain(fast, 256, 320, ScalarType.Float64);
        var x = randn(128, 256, ScalarType.Float64);

        Assert.True(fast.forward(x).Equals(plain.forward(x)));
    }

    [Fact]
    public void It_starts_with_the_numbers_that_Linear_starts_with()
    {
        random.manual_seed(8);
        using var fast = new FastLinear(40, 30);
        random.manual_seed(8);
        using var plain = nn.Linear(40, 30);

        Near(plain.weight, fast.weight);
        Near(plain.bias!, fast.bias!);
    }

    [Fact]
    public void Its_matrix_may_be_another_modules_and_follows_its_type()
    {
        using var embedding = nn.Embedding(30, 16);
        using var head = new FastLinear(16, 30, hasBias: false);
        var table = embedding.named_parameters().Single().parameter;
        head.weight = table;

        Assert.Equal(table.Handle, head.weight.Handle);
        Assert.Equal(table.Handle, head.named_parameters().Single().parameter.Handle);
        head.to(ScalarType.Float64);
        Assert.Equal(ScalarType.Float64, head.weight.dtype);
    }

    [Fact]
    public void It_leaves_no_tensor_behind()
    {
        using var fast = new FastLinear(384, 576);
        using var x = randn(128, 384);
        using var scope = NewDisposeScope();

        fast.forward(x);

        Assert.Equal(1, scope.DisposablesCount);
    }

    private static Linear Plain(FastLinear fast, long inputs, long outputs, ScalarType dtype = ScalarType.Float32)
    {
        var plain = nn.Linear(inputs, outputs, fast.bias is not null, dtype: dtype);
        using var quiet = no_grad();
        plain.weight.copy_(fast.weight);
        plain.bias?.copy_(fast.bias!);
        return plain;
    }

    private static void Near(Tensor expected, Tensor actual)
    {
        Assert.Equal(expected.shape, actual.shape);
        using var difference = (expected - actual).abs().max();
        using var largest = expected.abs().max();
        Assert.True(difference.item<float>() <= 5e-6 * largest.item<float>(), $"off by {difference.item<float>():G3} of {largest.item<float>():G3}");
    }
}
