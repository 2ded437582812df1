using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>
/// An LSTM that reads a prompt from both ends: in each layer and direction <c>i, f, g, o = W_ih x + b_ih + W_hh h + b_hh</c>,
/// <c>c = σ(f)·c + σ(i)·tanh(g)</c>, <c>h = σ(o)·tanh(c)</c>; the next layer reads both directions' h.
/// </summary>
/// <remarks>Hochreiter and Schmidhuber, "Long Short-Term Memory", 1997. A prompt is short and one for the whole batch, so plain steps do.</remarks>
internal sealed class EncoderLstm : EncoderPart
{
    private readonly long _hidden;
    private readonly int _layers;
    private readonly double _p;
    private readonly DropoutSource _dropout;

    /// <param name="site">For starts and dropout.</param>
    /// <param name="inputs">The width of what is read.</param>
    /// <param name="hidden">The width of one direction's h.</param>
    /// <param name="layers">How many layers there are.</param>
    /// <param name="p">The probability with which entries between layers are dropped in training.</param>
    public EncoderLstm(Site site, long inputs, long hidden, int layers, double p) : base("lstm_head")
    {
        (_hidden, _layers, _p, _dropout) = (hidden, layers, p, site.Dropout);
        var bound = 1 / Math.Sqrt(hidden);
        for (var layer = 0; layer < layers; layer++)
            foreach (var reverse in (bool[])[false, true])
            {
                Learn(NameOf("weight_ih", layer, reverse), Start.Uniform(site, bound, 4 * hidden, layer == 0 ? inputs : 2 * hidden));
                Learn(NameOf("weight_hh", layer, reverse), Start.Uniform(site, bound, 4 * hidden, hidden));
                Learn(NameOf("bias_ih", layer, reverse), Start.Uniform(site, bound, 4 * hidden));
                Learn(NameOf("bias_hh", layer, reverse), Start.Uniform(site, bound, 4 * hidden));
            }
    }

    /// <param name="context">The context of the call; null: it is none, and nothing is dropped.</param>
    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <returns><c>[rows, 2 · hidden]</c>; the caller owns it.</returns>
    public Tensor forward(ForwardContext? context, Tensor x)
    {
        using var scope = NewDisposeScope();
        var y = x;
        for (var layer = 0; layer < _layers; layer++)
        {
            var read = layer > 0 && _p > 0 && context is not null && IsTraining(context) ? _dropout.Drop(y, _p) : y;
            y = cat([Read(read, layer, reverse: false), Read(read, layer, reverse: true)], 1);
        }

        return y.MoveToOuterDisposeScope();
    }

    /// <summary>One direction of one layer.</summary>
    private Tensor Read(Tensor x, int layer, bool reverse)
    {
        var inputs = linear(x, this[NameOf("weight_ih", layer, reverse)], this[NameOf("bias_ih", layer, reverse)]);
        var (weight, bias) = (this[NameOf("weight_hh", layer, reverse)], this[NameOf("bias_hh", layer, reverse)]);
        var h = zeros(1, _hidden, dtype: x.dtype, device: x.device);
        var c = h;
        var all = new Tensor[x.shape[0]];
        for (var step = 0; step < all.Length; step++)
        {
            var at = reverse ? all.Length - 1 - step : step;
            var parts = (inputs.narrow(0, at, 1) + linear(h, weight, bias)).chunk(4, 1);
            c = (parts[1].sigmoid() * c) + (parts[0].sigmoid() * parts[2].tanh());
            all[at] = h = parts[3].sigmoid() * c.tanh();
        }

        return cat(all, 0);
    }

    private static string NameOf(string what, int layer, bool reverse) => string.Create(CultureInfo.InvariantCulture, $"{what}_l{layer}{(reverse ? "_reverse" : "")}");
}
