using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Keeps how a sum lies in memory: what reads it next may add up its numbers in that order, or view them.</summary>
internal static class SumLayout
{
    /// <summary>A tensor that stands for a sum, laid out as the sum of the operands would be.</summary>
    /// <param name="x">The tensor; it is disposed where a new one is made of it.</param>
    /// <param name="first">The sum's first operand.</param>
    /// <param name="second">The sum's second operand.</param>
    public static Tensor Of(Tensor x, Tensor first, Tensor second)
    {
        if (x.is_contiguous() && IsPlain(first, x) && IsPlain(second, x))
            return x;
        var (shape, strides) = Sum(first, second);
        if (!x.shape.SequenceEqual(shape) || x.stride().SequenceEqual(strides))
            return x;
        using (x)
        {
            var laidOut = empty_strided(shape, strides, dtype: x.dtype, device: x.device);
            laidOut.copy_(x);
            return laidOut;
        }
    }

    // Beside an operand that is broadcast the other one decides.
    private static bool IsPlain(Tensor operand, Tensor sum) => operand.is_contiguous() && operand.shape.SequenceEqual(sum.shape);

    private static (long[] shape, long[] strides) Sum(Tensor first, Tensor second)
    {
        using var quiet = no_grad();
        using var sum = first + second;
        return (sum.shape, sum.stride());
    }
}
