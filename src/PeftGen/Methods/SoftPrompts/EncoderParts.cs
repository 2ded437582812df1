using System.Globalization;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>A part of a network that computes a prompt. Its names are those that HF PEFT trains under; files have none of it.</summary>
internal abstract class EncoderPart(string name) : Slot(name)
{
    public sealed override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}

/// <summary>The learned vectors that a network starts from, normal at first.</summary>
internal sealed class EncoderTable : EncoderPart
{
    public EncoderTable(Site site, int rows, long width) : base("embedding") => Learn("weight", Start.Normal(site, 1, rows, width));

    /// <summary><c>[rows, dim]</c>.</summary>
    public Parameter Value => this["weight"];
}

/// <summary>A linear layer, which starts as TorchSharp's own.</summary>
internal sealed class EncoderLinear : EncoderPart
{
    public EncoderLinear(Site site, long inputs, long outputs) : base("linear")
    {
        var bound = 1 / Math.Sqrt(inputs);
        Learn("weight", Start.Uniform(site, bound, outputs, inputs));
        Learn("bias", Start.Uniform(site, bound, outputs));
    }

    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <returns><c>[rows, out]</c>.</returns>
    public Tensor forward(Tensor x) => linear(x, this["weight"], this["bias"]);
}

/// <summary>Linear layers with ReLU between them.</summary>
internal sealed class EncoderMlp : EncoderPart
{
    private readonly List<EncoderLinear> _layers = [];

    /// <param name="site">For starts.</param>
    /// <param name="sizes">The sizes, from the input's to the output's.</param>
    public EncoderMlp(Site site, params long[] sizes) : base("mlp_head")
    {
        foreach (var (inputs, outputs) in sizes.Zip(sizes.Skip(1)))
        {
            var layer = new EncoderLinear(site, inputs, outputs);
            // The ReLUs have numbers of their own.
            register_module((2 * _layers.Count).ToString(CultureInfo.InvariantCulture), layer);
            _layers.Add(layer);
        }
    }

    /// <param name="x"><c>[rows, in]</c>.</param>
    /// <returns><c>[rows, out]</c>.</returns>
    public Tensor forward(Tensor x)
    {
        var y = _layers[0].forward(x);
        foreach (var layer in _layers.Skip(1))
        {
            using var before = y;
            using var open = relu(before);
            y = layer.forward(open);
        }

        return y;
    }
}
