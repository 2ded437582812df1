namespace PeftGen;

/// <summary>
/// The bottleneck adapter beside the feed-forward network: <c>y = N(s·U f(D r) + h + r)</c> with <c>s = 4</c>.
/// </summary>
/// <remarks>
/// He et al., "Towards a Unified View of Parameter-Efficient Transfer Learning", 2022, where prefixes at attention and this adapter make "MAM";
/// AdapterHub's <c>ParBnConfig</c>. h is the sub-layer's output, r its residual, not normed on any host, N the host's norm after the sum, if any.
/// U starts at zero, so a new adapter changes nothing. All else is as <see cref="Bottleneck"/> has it.
/// </remarks>
[Merges(false)]
public sealed class ParallelAdapter : Bottleneck
{
    /// <inheritdoc cref="Bottleneck(double, string)" path="/summary"/>
    /// <param name="reduction">How many times narrower the bottleneck is than the model; less than 1: wider. Default: 2.</param>
    /// <param name="targets">The modules whose residual sites are adapted, see <see cref="TargetList"/>. Default: the feed-forward networks'.</param>
    public ParallelAdapter([InRange(0.001, 65536)] double reduction = 2, string targets = "ffn") : base(reduction, targets)
    {
        Parallel = true;
        OriginalLnBefore = false;
        Scaling = 4;
        Init = BottleneckInit.MamAdapter;
    }

    internal override Bottleneck With(double reduction, string targets) => new ParallelAdapter(reduction, targets);
}
