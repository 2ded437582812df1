namespace PeftGen;

/// <summary>
/// The serial bottleneck adapter after attention and after the feed-forward network, each on the sub-layer's own output: <c>y = N(s·U f(D h) + h + r)</c>.
/// </summary>
/// <remarks>
/// Houlsby et al., "Parameter-Efficient Transfer Learning for NLP", 2019; AdapterHub's <c>DoubleSeqBnConfig</c>. h is the sub-layer's output, r its residual,
/// N the host's norm after the sum, if any. The non-linearity is swish; all else is as <see cref="Bottleneck"/> has it.
/// </remarks>
[Merges(false)]
public sealed class Houlsby : Bottleneck
{
    /// <inheritdoc cref="Bottleneck(double, string)" path="/summary"/>
    /// <param name="reduction">How many times narrower the bottleneck is than the model; less than 1: wider. Default: 16.</param>
    /// <param name="targets">The modules whose residual sites are adapted, see <see cref="TargetList"/>. Default: self-attention's and the feed-forward networks'.</param>
    public Houlsby([InRange(0.001, 65536)] double reduction = 16, string targets = "self_attention,ffn") : base(reduction, targets)
    {
        OriginalLnBefore = false;
        NonLinearity = "swish";
    }

    internal override Bottleneck With(double reduction, string targets) => new Houlsby(reduction, targets);
}
