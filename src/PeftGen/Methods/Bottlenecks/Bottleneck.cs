using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>
/// The serial bottleneck adapter after the feed-forward network: <c>y = N(s·U f(D x) + h + r)</c> with <c>x = N(h + r)</c>.
/// </summary>
/// <remarks>
/// <para>
/// Pfeiffer et al., "AdapterFusion: Non-Destructive Task Composition for Transfer Learning", 2021; AdapterHub's <c>SeqBnConfig</c>. h is the sub-layer's
/// output, r its residual, both <c>[batch, tokens, dim]</c>, N the host's norm after the sum, f a non-linearity, D and U projections with bias of
/// <c>dim / reduction</c>. On a host whose norms stand before the sub-layers <c>N(z) = z</c>.
/// </para>
/// <para>
/// All settings of AdapterHub's <c>BnConfig</c> are properties here, under its words. <see cref="Houlsby"/>, <see cref="ParallelAdapter"/>,
/// <see cref="AdapterPlus"/> and <see cref="Compacter"/> are the same with other defaults. In general <c>y = N(a + r)</c> with <c>a = s·U f(D x) + e</c>, where
/// x is <c>N(h + r)</c>, or h without <see cref="OriginalLnBefore"/>, or r if <see cref="Parallel"/>; e is h, or as <see cref="ResidualBeforeLn"/> says;
/// and y is a itself without <see cref="OriginalLnAfter"/>.
/// </para>
/// </remarks>
[Merges(false)]
public class Bottleneck : AdaptAttribute
{
    /// <summary>Declares the method, or gives its values.</summary>
    /// <param name="reduction">How many times narrower the bottleneck is than the model; less than 1: wider. Default: 16.</param>
    /// <param name="targets">The modules whose residual sites are adapted, see <see cref="TargetList"/>. Default: the feed-forward networks'.</param>
    public Bottleneck([InRange(0.001, 65536)] double reduction = 16, string targets = "ffn")
    {
        Reduction = reduction;
        Targets = targets;
    }

    /// <summary>How many times narrower the bottleneck is than the model.</summary>
    public double Reduction { get; }

    /// <summary>The modules whose residual sites are adapted.</summary>
    [Adapts(SiteKind.Residual)]
    public string Targets { get; }

    /// <summary>Other reductions for some blocks, by their number: <c>0=2, 3=8</c>. Blocks are counted through: a decoder's go on where the encoder's end.</summary>
    [Pattern(nameof(Targets), ByBlock = true), InRange(0.001, 65536)]
    public string ReductionPattern { get; set; } = "";

    /// <summary>The blocks that get no adapter, counted as for <see cref="ReductionPattern"/>; null: none.</summary>
    [InRange(0, 65536), LeavesOut(nameof(Targets))]
    public int[]? LeaveOut { get; set; }

    /// <summary>The width of the states, where the model does not show it: by its norms, embeddings or linear layers. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24)]
    public int Width { get; set; }

    /// <summary>
    /// The non-linearity f, by its name in Hugging Face's configurations: relu, gelu, gelu_new, swish, silu, leakyrelu, tanh, sigmoid and others.
    /// Default: relu.
    /// </summary>
    [OneOf(Methods.NonLinearity.Names)]
    public string NonLinearity { get; set; } = "relu";

    /// <summary>The fixed scaling s of the adapter's output. Default: 1.</summary>
    [InRange(-1e9, 1e9), OverriddenBy(nameof(LearnedScaling))]
    public double Scaling { get; set; } = 1;

    /// <summary>Whether the scaling is learned instead, starting at 1, as one number or one for each channel. Default: it is fixed.</summary>
    public LearnedScaling LearnedScaling { get; set; }

    /// <summary>Whether the adapter reads the residual r and stands beside the sub-layer, instead of after it.</summary>
    public bool Parallel { get; set; }

    /// <summary>Whether the adapter reads the host's sum after its norm, <c>x = N(h + r)</c>; else the sub-layer's output h.</summary>
    public bool OriginalLnBefore { get; set; } = true;

    /// <summary>Whether the host's sum and norm follow the adapter, <c>y = N(a + r)</c>; else <c>y = a</c>.</summary>
    public bool OriginalLnAfter { get; set; } = true;

    /// <summary>With <see cref="OriginalLnBefore"/>: what is added around the adapter. Default: h.</summary>
    [OverriddenBy(nameof(Parallel))]
    public AdapterResidual ResidualBeforeLn { get; set; }

    /// <summary>Whether a layer norm of the adapter's own stands before D.</summary>
    public bool LnBefore { get; set; }

    /// <summary>Whether a layer norm of the adapter's own stands after U.</summary>
    public bool LnAfter { get; set; }

    /// <summary>With <see cref="LnAfter"/>: whether what is added around the adapter is added before that norm.</summary>
    [OnlyWith(nameof(LnAfter)), OverriddenBy(nameof(Parallel))]
    public bool AdapterResidualBeforeLn { get; set; }

    /// <summary>Whether a learned gate for each example multiplies the adapter's output (Mao et al., "UniPELT", 2022).</summary>
    public bool Gated { get; set; }

    /// <summary>Over which tokens the gate takes its mean. Default: all, as the reference.</summary>
    [OnlyWith(nameof(Gated))]
    public GatePooling Pooling { get; set; }

    /// <summary>The probability with which entries of the adapter's output are dropped in training. Default: 0.</summary>
    [InRange(0, 0.999999)]
    public double Dropout { get; set; }

    /// <summary>The probability with which the adapter's output is dropped for a whole example in training. Default: 0.</summary>
    [InRange(0, 0.999999)]
    public double StochasticDepth { get; set; }

    /// <summary>How D and U start. Default: both normal.</summary>
    public BottleneckInit Init { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_BOTTLENECK";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Residual, TargetList.Parse(Targets)) { LeaveOut = LeaveOut }];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => new BottleneckSlot(site, this);

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || BottleneckConfig.IsAdapterHub(config, hypercomplex: false);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config) => BottleneckConfig.Read(config, this);

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) => BottleneckConfig.Write(this, config);

    /// <inheritdoc/>
    public override void WriteHubConfig(JsonObject config, HubSites sites) => BottleneckConfig.WriteHub(this, config, sites.Of(Claims[0], BottleneckConfig.Kinds));

    /// <inheritdoc/>
    public sealed override string ToString() => Text(BottleneckConfig.DefaultsOf(this)).Common(this).ToString();

    /// <summary>The same method with other arguments and the method's own defaults.</summary>
    internal virtual Bottleneck With(double reduction, string targets) => new(reduction, targets);

    /// <summary>These values, which nobody else can change.</summary>
    internal Bottleneck Copy() => (Bottleneck)MemberwiseClone();

    /// <summary>The declaration, with what differs from the method's own defaults.</summary>
    internal virtual AttributeText Text(Bottleneck defaults) => new AttributeText(GetType().Name)
        .Argument("reduction", Reduction, defaults.Reduction).Argument("targets", Targets, defaults.Targets)
        .Property(nameof(ReductionPattern), ReductionPattern, "").Property(nameof(LeaveOut), LeaveOut)
        .Property(nameof(NonLinearity), NonLinearity, defaults.NonLinearity).Property(nameof(Scaling), Scaling, defaults.Scaling)
        .Property(nameof(LearnedScaling), LearnedScaling, defaults.LearnedScaling).Property(nameof(Parallel), Parallel, defaults.Parallel)
        .Property(nameof(OriginalLnBefore), OriginalLnBefore, defaults.OriginalLnBefore).Property(nameof(OriginalLnAfter), OriginalLnAfter, defaults.OriginalLnAfter)
        .Property(nameof(ResidualBeforeLn), ResidualBeforeLn, defaults.ResidualBeforeLn).Property(nameof(LnBefore), LnBefore, false)
        .Property(nameof(LnAfter), LnAfter, false).Property(nameof(AdapterResidualBeforeLn), AdapterResidualBeforeLn, false)
        .Property(nameof(Gated), Gated, false).Property(nameof(Pooling), Pooling, GatePooling.All).Property(nameof(Dropout), Dropout, 0.0)
        .Property(nameof(StochasticDepth), StochasticDepth, defaults.StochasticDepth).Property(nameof(Width), Width, 0).Property(nameof(Init), Init, defaults.Init);

    /// <summary>Makes one of the two projections.</summary>
    internal virtual Projection Project(Site site, long inputs, long outputs, bool up) => new LinearProjection(site, BottleneckStart.Of(site, Init, outputs, inputs, up));

    /// <summary>The reduction at a site.</summary>
    internal double ReductionOf(Site site) => new ValuePatterns(ReductionPattern).For(site.Block.ToString(System.Globalization.CultureInfo.InvariantCulture), Reduction);
}

/// <summary>Whether and how the scaling of a bottleneck is learned.</summary>
public enum LearnedScaling
{
    /// <summary>It is fixed.</summary>
    None,

    /// <summary>One number for each site, from 1.</summary>
    Single,

    /// <summary>One number for each channel, from 1.</summary>
    Channel,
}

/// <summary>What is added around a bottleneck adapter that reads <c>x = N(h + r)</c>; AdapterHub's <c>residual_before_ln</c>.</summary>
public enum AdapterResidual
{
    /// <summary>The sub-layer's output h: taken before the host's norm and sum.</summary>
    BeforeLn,

    /// <summary>x itself: taken after the norm. Where the host's sum follows, r then counts twice on a host without norms after its sums.</summary>
    AfterLn,

    /// <summary>The sum <c>h + r</c>: taken after the sum and before the norm. Where the host's sum follows, r counts twice.</summary>
    PostAdd,
}

/// <summary>How the projections of a bottleneck start; biases start at zero.</summary>
public enum BottleneckInit
{
    /// <summary>Normal with standard deviation 0.02, as BERT's layers.</summary>
    Bert,

    /// <summary>D uniform as a linear layer's, U zero, so that a new adapter changes nothing (He et al. 2022).</summary>
    MamAdapter,

    /// <summary>Normal with standard deviation 0.01, cut off at two of them (Houlsby et al. 2019).</summary>
    Houlsby,
}
