using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Layers;

/// <summary>Products with matrices, by the faster of two kernels.</summary>
/// <remarks>
/// A linear layer is a convolution with a kernel of one point, which torch computes with oneDNN, where it computes <c>linear</c> with the BLAS that it was
/// built with. On processors that the BLAS was not written for, oneDNN is about twice as fast from some rows on; docs/performance.md has the numbers.
/// </remarks>
internal static class Products
{
    // Below, getting to the kernel and reordering the matrix for it costs more than it gains.
    private const long FewestRows = 64;
    private const long SmallestMatrix = 1 << 16;

    // oneDNN packs the matrix, and in the backward pass its transpose, in blocks of 16, 32, 48 or 64. The version that libtorch 2.10 carries (3.7.1) packs a block
    // that is not full wrongly on some processors (seen on AMD's family 26): wrong outputs, and writes past its end. So only sizes that leave none: the blocks' common multiple.
    private const long WholeBlocks = 192;

    // torch asks for a batch, or for more than one thread, before it gives a float32 convolution of one point to oneDNN.
    private const long Batch = 16;

    /// <summary><c>xWᵀ + b</c>.</summary>
    /// <param name="x"><c>[…, in]</c>.</param>
    /// <param name="weight"><c>[out, in]</c>.</param>
    /// <param name="bias"><c>[out]</c>; null: none.</param>
    /// <returns><c>[…, out]</c>.</returns>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null)
    {
        if (!IsForOneDnn(x, weight))
            return nn.functional.linear(x, weight, bias);
        var shape = x.shape;
        var (inputs, rows) = (shape[^1], x.numel() / shape[^1]);
        using var lines = x.reshape(Batch, rows / Batch, 1, inputs);
        using var image = lines.permute(0, 3, 1, 2);
        using var kernel = weight.view(weight.shape[0], inputs, 1, 1);
        using var points = nn.functional.conv2d(image, kernel, bias);
        using var last = points.permute(0, 2, 3, 1);
        shape[^1] = weight.shape[0];
        return last.reshape(shape);
    }

    private static bool IsForOneDnn(Tensor x, Tensor weight) =>
        x.device_type == DeviceType.CPU && x.dtype == ScalarType.Float32 && weight.dtype == ScalarType.Float32 && weight.is_contiguous()
        && weight.shape[0] % WholeBlocks == 0 && weight.shape[1] % WholeBlocks == 0
        && weight.numel() >= SmallestMatrix && x.numel() / x.shape[^1] is var rows && rows >= FewestRows && rows % Batch == 0;
}
