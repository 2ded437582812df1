using System.Globalization;
using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// LoRA: a low-rank update beside a frozen weight, <c>y = Wx + b + s·B(A(dropout(x)))</c> with <c>s = alpha / rank</c>.
/// </summary>
/// <remarks>
/// Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2021. <c>A</c> is <c>[rank, in]</c> and starts random,
/// <c>B</c> is <c>[out, rank]</c> and starts at zero, so a new adapter changes nothing. Merged: <c>W + s·BA</c>.
/// With <see cref="RsLora"/>: <c>s = alpha / √rank</c> (Kalajdzievski 2023). With <see cref="Gated"/>: a learned gate for each example
/// replaces <c>s</c> (Mao et al., "UniPELT", 2022). Of a fused layer, <c>c_attn[q,v]</c>, each part has an update of its own: <c>A</c> is <c>[rank · parts, in]</c>.
/// </remarks>
/// <param name="rank">The rank of the update. Default: 8.</param>
/// <param name="alpha">The numerator of the scaling. Default: 8.</param>
/// <param name="targets">The layers to adapt: linear, embedding or convolution, see <see cref="TargetList"/>. Default: queries and values.</param>
public sealed class LoRA([InRange(1, 65536), BoundedBySize] int rank = 8, [InRange(0, 1e9)] double alpha = 8, string targets = "q,v") : AdaptAttribute
{
    internal const string Excluded = "excluded", PlainType = "LORA", GatedType = "PEFTGEN_GATED_LORA", PartsType = "PEFTGEN_PARTS_LORA";
    private const string Biases = "biases", Tokens = "tokens";
    private IReadOnlyList<Claim>? _claims;

    /// <summary>The rank of the update.</summary>
    [Fits(nameof(Targets), Fit.Multiple, "groups", Unless = nameof(RankPattern))]
    public int Rank { get; } = rank;

    /// <summary>The numerator of the scaling.</summary>
    [OverriddenBy(nameof(Gated))]
    public double Alpha { get; } = alpha;

    /// <summary>The layers to adapt: linear, embedding or convolution.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear), typeof(Embedding), typeof(Conv1d), typeof(Conv2d), typeof(Conv3d)], TakesParts = true)]
    public string Targets { get; } = targets;

    /// <summary>Layers that <see cref="Targets"/> match but that are left out.</summary>
    [LeavesOut(nameof(Targets))]
    public string? Exclude { get; set; }

    /// <summary>Indices of the blocks to adapt, as HF PEFT's <c>layers_to_transform</c>: the first number in a layer's path, which begins anew in each stack of blocks. Null: all.</summary>
    [InRange(0, 65536), Blocks(nameof(Targets), ByIndex = true)]
    public int[]? Layers { get; set; }

    /// <summary>What the lists of blocks are called in which <see cref="Layers"/> counts, as regular expressions: the first counts that is in a path. Null: any list.</summary>
    public string[]? LayerLists { get; set; }

    /// <summary>Numbers of the blocks to leave out, counted from 0 through all stacks of blocks, an encoder's and then its decoder's; null: none.</summary>
    [InRange(0, 65536), LeavesOut(nameof(Targets))]
    public int[]? LeaveOut { get; set; }

    /// <summary>The probability with which entries of the update's input are dropped in training. Default: 0.</summary>
    [InRange(0, 0.999999)]
    public double Dropout { get; set; }

    /// <summary>Whether the scaling is <c>alpha / √rank</c>.</summary>
    [OverriddenBy(nameof(Gated))]
    public bool RsLora { get; set; }

    /// <summary>Which biases of the base train along. Default: none.</summary>
    public LoRABias Bias { get; set; }

    /// <summary>Whether <c>B</c> has a bias of its own, scaled as the product.</summary>
    [NeedsHosts(nameof(Targets), typeof(Linear), typeof(Conv1d), typeof(Conv2d), typeof(Conv3d))]
    public bool BiasInB { get; set; }

    /// <summary>Whether a learned gate for each example replaces the scaling. Such an adapter cannot be merged.</summary>
    [PreventsMerge]
    [NeedsHosts(nameof(Targets), typeof(Linear))]
    public bool Gated { get; set; }

    /// <summary>Over which tokens the gate takes its mean. Default: all, as the reference.</summary>
    [OnlyWith(nameof(Gated))]
    public GatePooling Pooling { get; set; }

    /// <summary>Ids of tokens whose embeddings train along.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Embedding)], Targets = "embed", MergesForAll = true, Exclusive = TrainedTokensSlot.Kind)]
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], Targets = TiedTokensSlot.Heads, Optional = true, MergesForAll = true)]
    [InRange(0, int.MaxValue), Distinct, Fits(nameof(TrainableTokens), Fit.Below, "num_embeddings")]
    public int[]? TrainableTokens { get; set; }

    /// <summary>Other ranks for some paths: <c>down_proj=6, layers.0.self_attn.q_proj=2</c>. Keys match as HF PEFT's <c>rank_pattern</c>.</summary>
    [Pattern(nameof(Targets)), InRange(1, 65536)]
    public string RankPattern { get; set; } = "";

    /// <summary>Other alphas for some paths.</summary>
    [Pattern(nameof(Targets)), InRange(0, 1e9), OverriddenBy(nameof(Gated))]
    public string AlphaPattern { get; set; } = "";

    /// <summary>How <c>A</c> starts. Default: Kaiming uniform, as a linear layer.</summary>
    public LoRAInit Init { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => !Gated;

    /// <inheritdoc/>
    public override string PeftType => Gated ? GatedType : PlainType;

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => _claims ??= BuildClaims();

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => site.Claim.Purpose switch
    {
        Biases => TrainedParts.CreateSlot(site, PartNames.Bias),
        _ when site.Claim.Tied => new TiedTokensSlot(site, "token_adapter."),
        Tokens => new TrainedTokensSlot(site, TrainableTokens!, "token_adapter."),
        _ => new LoRASlot(site, RankOf(site.Path), ScalingOf(site.Path), this),
    };

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) =>
        new ConfigReader(config).Text("peft_type") is PlainType or GatedType or PartsType || LoRAConfig.IsAdapterHub(config);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config) => LoRAConfig.Read(config);

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) =>
        LoRAConfig.Write(this, config, targets.ToDictionary(t => t.Key.Purpose, t => t.Value));

    internal override void WriteSites(JsonObject config, Func<Claim, IReadOnlyList<(string path, IReadOnlyList<string>? parts)>> layersOf)
    {
        var paths = layersOf(Claims[0]).Select(layer => layer.path).ToList();
        config["rank_pattern"] = new ValuePatterns(RankPattern).ToJson(paths, Rank);
        config["alpha_pattern"] = new ValuePatterns(AlphaPattern).ToJson(paths, Alpha);
    }

    /// <inheritdoc/>
    public override void WriteHubConfig(JsonObject config, HubSites sites) => LoRAConfig.WriteHub(this, config, sites.Of(Claims[0], HubLinears.Kinds));

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => Claims.Where(c => c.Purpose.Length == 0)
        .Concat(Exclude is null ? [] : [new Claim(SiteKind.Layer, TargetList.Parse(Exclude), Purpose: Excluded)]);

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(LoRA))
        .Argument("rank", Rank).Argument("alpha", Alpha, 8.0).Argument("targets", Targets)
        .Property(nameof(Exclude), Exclude).Property(nameof(Layers), Layers).Property(nameof(LayerLists), LayerLists).Property(nameof(LeaveOut), LeaveOut).Property(nameof(Dropout), Dropout, 0.0)
        .Property(nameof(RsLora), RsLora, false).Property(nameof(Bias), Bias, LoRABias.None).Property(nameof(BiasInB), BiasInB, false)
        .Property(nameof(Gated), Gated, false).Property(nameof(Pooling), Pooling, GatePooling.All).Property(nameof(TrainableTokens), TrainableTokens)
        .Property(nameof(RankPattern), RankPattern, "").Property(nameof(AlphaPattern), AlphaPattern, "").Property(nameof(Init), Init, LoRAInit.Kaiming)
        .Common(this).ToString();

    private List<Claim> BuildClaims()
    {
        var list = TargetList.Parse(Targets);
        var exclude = Exclude is null ? null : TargetList.Parse(Exclude);
        List<Claim> claims = [new Claim(SiteKind.Layer, list, exclude, Layers) { TakesParts = true, LeaveOut = LeaveOut, BlockLists = LayerLists ?? [] }];
        if (Bias == LoRABias.All)
            claims.Add(new Claim(SiteKind.Parameter, TargetList.Parse("bias"), Purpose: Biases) { Optional = true });
        if (Bias == LoRABias.LoraOnly)
            claims.Add(new Claim(SiteKind.Parameter, list, exclude, Layers, Biases) { Optional = true, Parameter = "bias", LeaveOut = LeaveOut, BlockLists = LayerLists ?? [] });
        if (TrainableTokens is { Length: > 0 })
            claims.AddRange([new Claim(SiteKind.Layer, TargetList.Parse("embed"), Purpose: Tokens) { Exclusive = TrainedTokensSlot.Kind }, PeftGen.TrainableTokens.TiedHeads]);
        return claims;
    }

    private int RankOf(string path)
    {
        var r = new ValuePatterns(RankPattern).For(path, Rank);
        return r is >= 1 and <= int.MaxValue && r == Math.Floor(r) ? (int)r : throw new AdapterException(
            $"{path}: rank is {r.ToString(CultureInfo.InvariantCulture)}, expected a whole number from 1 to {int.MaxValue}. Change rank or RankPattern.");
    }

    private double ScalingOf(string path)
    {
        var a = new ValuePatterns(AlphaPattern).For(path, Alpha);
        return RsLora ? a / Math.Sqrt(RankOf(path)) : a / RankOf(path);
    }
}

/// <summary>Which biases of the base train along with LoRA.</summary>
public enum LoRABias
{
    /// <summary>None.</summary>
    None,

    /// <summary>All biases of the model.</summary>
    [Adapts(SiteKind.Parameter, Hosts = [typeof(Linear), typeof(LayerNorm), typeof(Embedding)], Targets = "bias", Optional = true)]
    All,

    /// <summary>Those of the layers that are adapted.</summary>
    LoraOnly,
}

/// <summary>How LoRA's <c>A</c> starts; <c>B</c> starts at zero.</summary>
public enum LoRAInit
{
    /// <summary>Uniform in ±1/√in.</summary>
    Kaiming,

    /// <summary>Normal with standard deviation 1/rank.</summary>
    Gaussian,
}
