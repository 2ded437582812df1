namespace PeftGen.Models;

/// <summary>What a decoder keeps between two of its steps. Use one for each generation.</summary>
public sealed class T5Cache : ITokenCache, IDisposable
{
    /// <summary>Keys and values of the decoder's own tokens.</summary>
    public KeyValueCache Decoded { get; } = new();

    /// <summary>Keys and values of the encoder's output, which each layer computes once.</summary>
    public KeyValueCache Encoded { get; } = new();

    /// <summary>How many tokens the decoder has seen.</summary>
    public long Length => Decoded.Length;

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        Decoded.Dispose();
        Encoded.Dispose();
    }
}
