using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>
/// Compacter: <see cref="Houlsby"/>'s adapters, whose projections are sums of Kronecker products: <c>y = x·H + b</c>, <c>H = Σᵢ Aᵢ ⊗ (Lᵢ Rᵢ)</c>, i = 1 … n.
/// </summary>
/// <remarks>
/// Karimi Mahabadi et al., "Compacter: Efficient Low-Rank Hypercomplex Adapter Layers", 2021; AdapterHub's <c>CompacterConfig</c>. H is <c>[in, out]</c>,
/// A is <c>[n, n, n]</c> and one for all layers, sites, and both projections; L is <c>[n, in/n, rank]</c>, R is <c>[n, rank, out/n]</c>. n has to divide the
/// model's width and the bottleneck's. The non-linearity is gelu. All else is as <see cref="Bottleneck"/> has it; <see cref="Bottleneck.Init"/> has no meaning here.
/// </remarks>
[Merges(false)]
public class Compacter : Bottleneck
{
    /// <inheritdoc cref="Bottleneck(double, string)" path="/summary"/>
    /// <param name="reduction">How many times narrower the bottleneck is than the model; less than 1: wider. Default: 32.</param>
    /// <param name="targets">The modules whose residual sites are adapted, see <see cref="TargetList"/>. Default: self-attention's and the feed-forward networks'.</param>
    public Compacter([InRange(0.001, 65536)] double reduction = 32, string targets = "self_attention,ffn") : base(reduction, targets)
    {
        OriginalLnBefore = false;
        NonLinearity = "gelu";
    }

    /// <summary>The number n of summands, and the size of the matrices A. Default: 4.</summary>
    [InRange(1, 4096), DividesWidth(nameof(Reduction), 4, Unless = nameof(ReductionPattern))]
    public int PhmDim { get; set; } = 4;

    /// <summary>The rank of each product LR. Default: 1.</summary>
    [InRange(1, 65536)]
    public int PhmRank { get; set; } = 1;

    /// <summary>Whether one A serves all layers, sites and projections. Default: true; else each projection has its own.</summary>
    public bool SharedPhmRule { get; set; } = true;

    /// <summary>Whether each A is itself a product, <c>[n, 1] · [1, n]</c>.</summary>
    public bool FactorizedPhmRule { get; set; }

    /// <summary>Whether the second factors are products LR. Default: true; else they are full matrices W, <c>[n, in/n, out/n]</c>.</summary>
    public bool FactorizedPhmW { get; set; } = true;

    /// <summary>Whether the second factors, too, are shared by all layers and sites: one set for D, one for U.</summary>
    public bool SharedPhmW { get; set; }

    /// <summary>Whether the projections have a bias b. Default: true.</summary>
    public bool PhmBias { get; set; } = true;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_COMPACTER";

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) =>
        new ConfigReader(config).Text("peft_type") == PeftType || BottleneckConfig.IsAdapterHub(config, hypercomplex: true);

    internal override Bottleneck With(double reduction, string targets) => new Compacter(reduction, targets);

    internal override AttributeText Text(Bottleneck defaults) => base.Text(defaults)
        .Property(nameof(PhmDim), PhmDim, 4).Property(nameof(PhmRank), PhmRank, 1).Property(nameof(SharedPhmRule), SharedPhmRule, true)
        .Property(nameof(FactorizedPhmRule), FactorizedPhmRule, false).Property(nameof(FactorizedPhmW), FactorizedPhmW, true)
        .Property(nameof(SharedPhmW), SharedPhmW, false).Property(nameof(PhmBias), PhmBias, true);

    internal override Projection Project(Site site, long inputs, long outputs, bool up) => new PhmProjection(site, this, inputs, outputs, up);
}
