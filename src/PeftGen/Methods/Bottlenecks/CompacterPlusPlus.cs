namespace PeftGen;

/// <summary>
/// Compacter++: <see cref="Compacter"/>'s projections in the adapter after the feed-forward network alone, which reads <c>x = N(h + r)</c>.
/// </summary>
/// <remarks>
/// Karimi Mahabadi et al., "Compacter: Efficient Low-Rank Hypercomplex Adapter Layers", 2021; AdapterHub's <c>CompacterPlusPlusConfig</c>.
/// All else is as <see cref="Compacter"/> has it.
/// </remarks>
[Merges(false)]
public sealed class CompacterPlusPlus : Compacter
{
    /// <inheritdoc cref="Bottleneck(double, string)" path="/summary"/>
    /// <param name="reduction">How many times narrower the bottleneck is than the model; less than 1: wider. Default: 32.</param>
    /// <param name="targets">The modules whose residual sites are adapted, see <see cref="TargetList"/>. Default: the feed-forward networks'.</param>
    public CompacterPlusPlus([InRange(0.001, 65536)] double reduction = 32, string targets = "ffn") : base(reduction, targets) => OriginalLnBefore = true;

    internal override Bottleneck With(double reduction, string targets) => new CompacterPlusPlus(reduction, targets);
}
