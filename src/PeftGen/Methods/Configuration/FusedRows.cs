using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Spreads what belongs to some parts of a fused layer over all its outputs.</summary>
/// <param name="parts">The parts, in the order of the outputs.</param>
/// <param name="outputs">The size of the layer's output.</param>
internal sealed class FusedRows(IReadOnlyList<LayerPart> parts, long outputs)
{
    /// <summary>How many parts there are.</summary>
    public int Count => parts.Count;

    /// <summary>The outputs of all parts together.</summary>
    public long Length => parts.Sum(part => part.Length);

    /// <summary>Blocks <c>[Length, rank]</c> as a matrix <c>[outputs, rank · Count]</c>: each part's rows, in the columns that are its own; zero elsewhere.</summary>
    /// <returns>A tensor that the caller owns.</returns>
    public Tensor Blocks(Tensor values)
    {
        var rank = values.shape[1];
        return Spread(values, 0, rank * Count, (rows, i) => nn.functional.pad(rows, [rank * i, rank * (Count - 1 - i)]));
    }

    /// <summary>Columns <c>[Length, n]</c> as <c>[outputs, n]</c>.</summary>
    /// <param name="values">What the parts have.</param>
    /// <param name="elsewhere">What the other outputs have.</param>
    /// <returns>A tensor that the caller owns.</returns>
    public Tensor Columns(Tensor values, double elsewhere) => Spread(values, elsewhere, values.shape[1], (rows, _) => rows.alias());

    /// <summary>One number for each part and example, <c>[batch, Count]</c>, at all outputs of the part: <c>[batch, outputs]</c>, zero elsewhere.</summary>
    /// <returns>A tensor that the caller owns.</returns>
    public Tensor Examples(Tensor values)
    {
        using var mark = ones(Length, 1, dtype: values.dtype, device: values.device);
        using var marks = Blocks(mark);
        return nn.functional.linear(values, marks);
    }

    private Tensor Spread(Tensor values, double elsewhere, long width, Func<Tensor, int, Tensor> place)
    {
        var pieces = new List<Tensor>();
        var (row, taken) = (0L, 0L);
        for (var i = 0; i < Count; i++)
        {
            Fill(parts[i].Start);
            using var rows = values.narrow(0, taken, parts[i].Length);
            pieces.Add(place(rows, i));
            taken += parts[i].Length;
            row = parts[i].Start + parts[i].Length;
        }

        Fill(outputs);
        var spread = cat(pieces, 0);
        pieces.ForEach(piece => piece.Dispose());
        return spread;

        void Fill(long to)
        {
            if (to > row)
                pieces.Add(full([to - row, width], elsewhere, dtype: values.dtype, device: values.device));
        }
    }
}
