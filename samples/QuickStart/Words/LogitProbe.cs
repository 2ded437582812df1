using System.Runtime.InteropServices;
using PeftGen.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Words;

/// <summary>Logits for some fixed lines, to compare what a model computes before and after.</summary>
internal sealed class LogitProbe
{
    private const int Lines = 32;
    private readonly string[] _lines;

    public LogitProbe()
    {
        var words = new WordSource(seed: 0);
        WordTask[] tasks = [.. WordTask.Known, WordTask.New];
        _lines = [.. Enumerable.Range(0, Lines).Select(i => tasks[i % tasks.Length].Line(words.ForExamination()))];
    }

    /// <summary>The logits at every token.</summary>
    /// <param name="forward">The model, with or without an adapter.</param>
    public float[] Of(Func<Tensor, Tensor?, KeyValueCache?, Tensor> forward)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var batch = WordBatch.Of(_lines);
        return forward(batch.Ids, batch.Mask, null).data<float>().ToArray();
    }

    /// <summary>Whether both are the same, bit for bit.</summary>
    public static bool SameBits(float[] one, float[] other) => MemoryMarshal.AsBytes(one.AsSpan()).SequenceEqual(MemoryMarshal.AsBytes(other.AsSpan()));

    /// <summary>The largest difference.</summary>
    public static double Difference(float[] one, float[] other) => one.Zip(other, (a, b) => Math.Abs((double)a - b)).Max();
}
