using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>One of the two projections of a bottleneck.</summary>
/// <param name="path">The path of the site.</param>
internal abstract class Projection(string path) : Slot(path)
{
    /// <summary>Projects.</summary>
    /// <param name="context">The context of the call.</param>
    /// <param name="x"><c>[…, in]</c></param>
    /// <returns><c>[…, out]</c>; the caller owns it.</returns>
    public abstract Tensor forward(ForwardContext context, Tensor x);

    /// <summary>What the projection computes in.</summary>
    public virtual ScalarType Dtype => parameters().First().dtype;

    /// <summary>The projection's tensors under the key that its owner has for it.</summary>
    public abstract IEnumerable<StoredTensor> StoredAs(string key);

    public sealed override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}

/// <summary>A linear projection, <c>Wx + b</c>.</summary>
internal sealed class LinearProjection : Projection
{
    private const string Weight = "weight", Bias = "bias";

    /// <param name="site">The site.</param>
    /// <param name="weight">The start of W, <c>[out, in]</c>.</param>
    public LinearProjection(Site site, Tensor weight) : base(site.Path)
    {
        var outputs = weight.shape[0];
        Learn(Weight, weight);
        Learn(Bias, site.Zeros(outputs));
    }

    public override Tensor forward(ForwardContext context, Tensor x) => linear(x, this[Weight], this[Bias]);

    public override IEnumerable<StoredTensor> StoredAs(string key) => [new($"{key}.{Weight}", this[Weight]), new($"{key}.{Bias}", this[Bias])];
}
