using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Checkpoints;

/// <summary>The bytes under a tensor.</summary>
internal static class TensorMemory
{
    /// <summary>A span holds 2 GiB at most and tensors may be larger, so that they are walked in pieces of this size.</summary>
    private const int ChunkBytes = 1 << 26;

    public delegate void ChunkAction(Span<byte> memory, long offset);

    /// <summary>Hands out the memory of a contiguous CPU tensor in order, piece by piece.</summary>
    /// <param name="tensor">The tensor; it is kept alive for the duration.</param>
    /// <param name="action">Receives each piece, which may be written to, and its offset in bytes.</param>
    public static void ForEachChunk(Tensor tensor, ChunkAction action)
    {
        using var noGrad = torch.no_grad();
        using var flat = tensor.view(-1);
        var (total, elementSize) = (flat.numel(), flat.element_size());
        var step = ChunkBytes / elementSize;
        for (var start = 0L; start < total; start += step)
        {
            using var chunk = flat.narrow(0, start, Math.Min(step, total - start));
            action(chunk.bytes, start * elementSize);
            GC.KeepAlive(chunk);
        }
    }
}
