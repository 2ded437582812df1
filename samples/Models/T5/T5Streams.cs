using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>What the layers of one call of the encoder or the decoder share. The caller makes one for each call and disposes it.</summary>
public sealed class T5Streams : IDisposable
{
    /// <summary>0 where a token sees another one and the lowest number where not, <c>[batch or 1, 1, tokens, keys]</c>.</summary>
    public required Tensor Mask { get; init; }

    /// <summary>What the encoder returned, <c>[batch, input tokens, d_model]</c>; null in the encoder.</summary>
    public Tensor? Encoded { get; init; }

    /// <summary>As <see cref="Mask"/>, of the encoder's tokens: <c>[batch or 1, 1, 1, input tokens]</c>; null: all are seen.</summary>
    public Tensor? EncodedMask { get; init; }

    /// <summary>Keys and values of the tokens before; null: there are none.</summary>
    public T5Cache? Cache { get; init; }

    /// <summary>How many tokens came before.</summary>
    public long Past { get; init; }

    /// <summary><see cref="Mask"/> with the biases of the distances, <c>[batch or 1, heads, tokens, keys]</c>. The first layer makes it, and all others use it.</summary>
    public Tensor? PositionBias { get; set; }

    public void Dispose() => PositionBias?.Dispose();
}
