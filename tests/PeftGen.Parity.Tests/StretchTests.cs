using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace PeftGen.Parity.Tests;

public sealed class StretchTests
{
    [Theory]
    [InlineData(16)]
    [InlineData(40)]
    [InlineData(53)]
    [InlineData(64)]
    public void Normal_draws_are_found_with_their_deviation(int length)
    {
        var found = Stretch.Find(Normal(length), Uniform());

        Assert.NotNull(found);
        Assert.True(found.IsNormal);
        Assert.Equal(0.3, found.Factor, 5);
    }

    [Theory]
    [InlineData(16)]
    [InlineData(40)]
    [InlineData(53)]
    public void A_changed_number_is_none_of_the_draws(int length)
    {
        for (var i = 0; i < length; i++)
        {
            var values = Normal(length);
            values[i] += 1e-4f;
            Assert.Null(Stretch.Find(values, Uniform()));
        }
    }

    // A recorded start comes after draws of other tensors.
    private static float[] Normal(int length)
    {
        using var generator = new Generator(5);
        using var before = rand(37, generator: generator);
        using var values = empty(length);
        values.normal_(0, 0.3, generator);
        return values.data<float>().ToArray();
    }

    private static float[] Uniform()
    {
        using var generator = new Generator(5);
        using var draws = rand(4096, generator: generator);
        return draws.data<float>().ToArray();
    }
}
