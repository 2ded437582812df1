using PeftGen.Methods;

namespace PeftGen;

/// <summary>
/// What the forms of ReFT share: they leave the weights alone and change what each block returns, at the first and last tokens of each row,
/// <c>h ← h + Δ(h)</c> with a <c>Δ</c> that lives in a few directions.
/// </summary>
/// <remarks>
/// Wu et al., "ReFT: Representation Finetuning for Language Models", 2024. The attention mask tells which tokens a row has; of a decoder beside an encoder, whose
/// mask it is not, all tokens count. Where first and last meet, the last tokens' change holds; both see the old h. Tokens that come after others in a cache
/// are of a text that is being written: only those among the first positions are changed, since the last ones of what was read were changed then.
/// </remarks>
[Merges(false)]
public abstract class ReFT : AdaptAttribute
{
    private protected ReFT(int rank, int prefixPositions, int suffixPositions, string targets)
    {
        Rank = rank;
        PrefixPositions = prefixPositions;
        SuffixPositions = suffixPositions;
        Targets = targets;
    }

    /// <summary>The number of directions in which a token's state changes.</summary>
    public int Rank { get; }

    /// <summary>How many tokens change at the beginning of each row.</summary>
    public int PrefixPositions { get; }

    /// <summary>How many tokens change at the end of each row.</summary>
    public int SuffixPositions { get; }

    /// <summary>The modules whose outputs <c>[batch, tokens, dim]</c> change.</summary>
    [Adapts(SiteKind.Output)]
    public string Targets { get; }

    /// <summary>The width of the states, where the model does not show it: by its norms, embeddings or linear layers. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24)]
    public int Width { get; set; }

    /// <summary>Numbers of the blocks that change, counted from 0 through all stacks of blocks, so that a decoder's come after the encoder's; null: all.</summary>
    [InRange(0, 65536), Blocks(nameof(Targets))]
    public int[]? Layers { get; set; }

    /// <summary>Numbers of blocks that do not change, counted as <see cref="Layers"/>; null: none.</summary>
    [InRange(0, 65536), LeavesOut(nameof(Targets))]
    public int[]? LeaveOut { get; set; }

    /// <summary>Whether first and last tokens have the same weights. Default: no.</summary>
    public bool Tied { get; set; }

    /// <summary>A non-linearity f around <c>Wh + b</c>, by the name that Hugging Face's models have for it; null: none.</summary>
    [OneOf(Methods.NonLinearity.Names)]
    public string? NonLinearity { get; set; }

    /// <summary>The probability with which entries of the changed state are dropped in training. Default: 0.05.</summary>
    [InRange(0, 0.999999)]
    public double Dropout { get; set; } = ReFTConfig.Dropout;

    /// <summary>Whether the rows of R are orthonormal.</summary>
    internal abstract bool IsOrthogonal { get; }

    /// <summary>Whether Rh is subtracted.</summary>
    internal abstract bool Subtracts { get; }

    /// <summary>Whether R is turned by a frozen base.</summary>
    internal virtual bool HasBase => false;

    /// <summary>Whether there are weights for an end of the row at which nothing changes, as in AdapterHub's files.</summary>
    internal bool HasIdleUnits { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Output, TargetList.Parse(Targets)) { Blocks = Layers, LeaveOut = LeaveOut }];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => new ReFTSlot(site, this);

    /// <inheritdoc/>
    public override void WriteConfig(System.Text.Json.Nodes.JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) => ReFTConfig.Write(this, config);

    /// <inheritdoc/>
    public override void WriteHubConfig(System.Text.Json.Nodes.JsonObject config, HubSites sites) => ReFTConfig.WriteHub(this, config, sites.Of(Claims[0], ReFTConfig.Targets));

    private protected AttributeText Text() => new AttributeText(GetType().Name)
        .Argument("rank", Rank, ReFTConfig.Rank).Argument("prefixPositions", PrefixPositions, ReFTConfig.Prefix).Argument("suffixPositions", SuffixPositions, ReFTConfig.Suffix)
        .Argument("targets", Targets, ReFTConfig.Targets).Property(nameof(Layers), Layers).Property(nameof(LeaveOut), LeaveOut).Property(nameof(Tied), Tied, false).Property(nameof(NonLinearity), NonLinearity)
        .Property(nameof(Dropout), Dropout, ReFTConfig.Dropout).Property(nameof(Width), Width, 0).Common(this);
}
