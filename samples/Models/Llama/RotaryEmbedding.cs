using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>
/// Rotary position embedding. It holds no tensor, so that nothing of it is in the model's state and nothing has to be moved:
/// the tables are made for the positions of each call, on their device.
/// </summary>
internal sealed class RotaryEmbedding(LlamaConfig config)
{
    private readonly float[] _frequencies = config.Rope.Frequencies(config.HeadDim);

    /// <summary>The tables for some positions.</summary>
    /// <param name="positions"><c>[batch or 1, tokens]</c>.</param>
    /// <param name="dtype">The model's element type; angles are computed in float32 whatever it is.</param>
    /// <returns>Cosines and sines, <c>[batch or 1, 1, tokens, head_dim]</c>.</returns>
    public (Tensor cos, Tensor sin) At(Tensor positions, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var angles = positions.to(ScalarType.Float32).unsqueeze(-1) * tensor(_frequencies, device: positions.device);
        var both = cat([angles, angles], -1).unsqueeze(1);
        return scope.MoveToOuter(both.cos().to(dtype), both.sin().to(dtype));
    }

    /// <summary>Turns each pair <c>(i, i + head_dim / 2)</c> of queries or keys by its position.</summary>
    /// <param name="x"><c>[batch, heads, tokens, head_dim]</c>.</param>
    /// <param name="cos">As <see cref="At"/> returns it.</param>
    /// <param name="sin">As <see cref="At"/> returns it.</param>
    public static Tensor Rotate(Tensor x, Tensor cos, Tensor sin)
    {
        using var scope = NewDisposeScope();
        var half = x.shape[^1] / 2;
        var quarterTurn = cat([-x.narrow(-1, half, half), x.narrow(-1, 0, half)], -1);
        return (x * cos + quarterTurn * sin).MoveToOuterDisposeScope();
    }
}
