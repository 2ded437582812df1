using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>What the layers of one call of the encoder or the decoder share. The caller makes one for each call and disposes it.</summary>
public sealed class T5Streams : IDisposable
{
    private readonly Dictionary<long, Tensor> biases = [];
    private Tensor? plain;

    /// <summary>0 where a token sees another one and the lowest number where not, <c>[batch or 1, 1, tokens, keys]</c>.</summary>
    public required Tensor Mask { get; init; }

    /// <summary>What the encoder returned, <c>[batch, input tokens, d_model]</c>; null in the encoder.</summary>
    public Tensor? Encoded { get; init; }

    /// <summary>As <see cref="Mask"/>, of the encoder's tokens: <c>[batch or 1, 1, 1, input tokens]</c>; null: all are seen.</summary>
    public Tensor? EncodedMask { get; init; }

    /// <summary>Keys and values of the tokens before; null: there are none.</summary>
    public T5Cache? Cache { get; init; }

    /// <summary>The biases of the distances between queries at positions <c>[tokens]</c> and a number of keys: <c>[1, heads, tokens, keys]</c>. The first layer has them for all.</summary>
    public Func<Tensor, long, Tensor>? Biases { get; set; }

    /// <summary>A mask with the biases of the distances, which are computed once for each number of keys.</summary>
    /// <param name="mask"><see cref="Mask"/>, or what became of it, <c>[batch or 1, heads or 1, tokens, keys]</c>.</param>
    /// <param name="positions">Where the queries stand among the keys, <c>[tokens]</c>.</param>
    /// <param name="keys">How many keys there are.</param>
    /// <returns><c>[batch or 1, heads, tokens, keys]</c>; where the mask is <see cref="Mask"/>, one tensor for all layers.</returns>
    public Tensor Biased(Tensor mask, Tensor positions, long keys)
    {
        if (!biases.TryGetValue(keys, out var bias)) biases[keys] = bias = Biases!(positions, keys).DetachFromDisposeScope();
        return ReferenceEquals(mask, Mask) ? plain ??= (bias + mask).DetachFromDisposeScope() : bias + mask;
    }

    public void Dispose()
    {
        plain?.Dispose();
        foreach (var bias in biases.Values) bias.Dispose();
    }
}
