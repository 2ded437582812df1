using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>The reparametrisation of a prefix while it trains: <c>W₂ tanh(W₁ e + b₁) + b₂</c> of a learned embedding e for each position.</summary>
internal sealed class PrefixEncoder : Slot
{
    private const string Embedding = "embedding", In = "in_weight", InBias = "in_bias", Out = "out_weight", OutBias = "out_bias";

    /// <param name="site">An attention that has the prefix.</param>
    /// <param name="length">The number of positions.</param>
    /// <param name="inputs">The width of the embedding.</param>
    /// <param name="hidden">The width in the middle.</param>
    /// <param name="outputs">The numbers of one position of the prefix.</param>
    public PrefixEncoder(Site site, long length, long inputs, long hidden, long outputs) : base("encoder")
    {
        Learn(Embedding, Start.Normal(site, 1, length, inputs));
        Learn(In, Start.Uniform(site, 1 / Math.Sqrt(inputs), hidden, inputs));
        Learn(InBias, Start.Uniform(site, 1 / Math.Sqrt(inputs), hidden));
        Learn(Out, Start.Uniform(site, 1 / Math.Sqrt(hidden), outputs, hidden));
        Learn(OutBias, Start.Uniform(site, 1 / Math.Sqrt(hidden), outputs));
    }

    /// <summary>The prefix, <c>[length, outputs]</c>; the caller owns it.</summary>
    public Tensor forward()
    {
        using var hidden = linear(this[Embedding], this[In], this[InBias]);
        using var active = tanh(hidden);
        return linear(active, this[Out], this[OutBias]);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];

    /// <summary>The tensors under keys that begin with a name and a dot.</summary>
    public IEnumerable<StoredTensor> StoredAs(string embedding, string layers) =>
    [
        new($"{embedding}.weight", this[Embedding]),
        new($"{layers}.0.weight", this[In]), new($"{layers}.0.bias", this[InBias]),
        new($"{layers}.2.weight", this[Out]), new($"{layers}.2.bias", this[OutBias]),
    ];
}
