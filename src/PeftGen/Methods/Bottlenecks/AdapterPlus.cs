namespace PeftGen;

/// <summary>
/// Adapter+: a bottleneck adapter at the very end of the block, with a learned scaling for each channel: <c>y = s ⊙ U f(D x) + x</c> with <c>x = N(h + r)</c>.
/// </summary>
/// <remarks>
/// Steitz and Roth, "Adapters Strike Back", 2024; AdapterHub's <c>AdapterPlusConfig</c>. h is the feed-forward network's output, r its residual, N the host's
/// norm after the sum, if any, so that on a host such as ViT <c>x = h + r</c>. The non-linearity is gelu, s starts at 1, and in training the adapter is left
/// out for a tenth of the examples. All else is as <see cref="Bottleneck"/> has it.
/// </remarks>
[Merges(false)]
public sealed class AdapterPlus : Bottleneck
{
    /// <inheritdoc cref="Bottleneck(double, string)" path="/summary"/>
    /// <param name="reduction">How many times narrower the bottleneck is than the model; less than 1: wider. Default: 96.</param>
    /// <param name="targets">The modules whose residual sites are adapted, see <see cref="TargetList"/>. Default: the feed-forward networks'.</param>
    public AdapterPlus([InRange(0.001, 65536)] double reduction = 96, string targets = "ffn") : base(reduction, targets)
    {
        OriginalLnAfter = false;
        ResidualBeforeLn = AdapterResidual.AfterLn;
        LearnedScaling = LearnedScaling.Channel;
        NonLinearity = "gelu";
        StochasticDepth = 0.1;
        Init = BottleneckInit.Houlsby;
    }

    internal override Bottleneck With(double reduction, string targets) => new AdapterPlus(reduction, targets);
}
