using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>Trainable tokens: the embeddings of some tokens train, all other rows stay the base's, bit for bit.</summary>
/// <remarks>As HF PEFT's method of the same name. A head that is tied to the embedding uses the rows too. The rows start at the base's values, so a new adapter changes nothing.</remarks>
/// <param name="tokens">The ids.</param>
/// <param name="targets">The embedding, see <see cref="TargetList"/>. Default: the input embedding.</param>
[AtLeastOne(nameof(Tokens))]
public sealed class TrainableTokens(int[] tokens, string targets = "embed") : AdaptAttribute
{
    // HF PEFT's form has nothing beside the rows.
    private const string HuggingFaceType = "TRAINABLE_TOKENS", OwnType = "PEFTGEN_TRAINABLE_TOKENS";

    /// <summary>The ids.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], Targets = TiedTokensSlot.Heads, Optional = true, MergesForAll = true)]
    [InRange(0, int.MaxValue), Distinct, Fits(nameof(Targets), Fit.Below, "num_embeddings")]
    public int[] Tokens { get; } = tokens;

    /// <summary>The embedding.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Embedding)], MergesForAll = true, Exclusive = TrainedTokensSlot.Kind)]
    public string Targets { get; } = targets;

    /// <inheritdoc/>
    public override string PeftType => ModulesToSave is null ? HuggingFaceType : OwnType;

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Layer, TargetList.Parse(Targets)) { Exclusive = TrainedTokensSlot.Kind }, TiedHeads];

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => [Claims[0]];

    /// <summary>A head that has the embedding's weight runs with the new rows, too.</summary>
    internal static Claim TiedHeads { get; } = new(SiteKind.Layer, TargetList.Parse(TiedTokensSlot.Heads), Purpose: "tied") { Tied = true };

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => site.Claim.Tied ? new TiedTokensSlot(site, "") : new TrainedTokensSlot(site, Tokens, "");

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => new ConfigReader(config).Text("peft_type") is HuggingFaceType or OwnType;

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        return new TrainableTokens(reader.Ints("token_indices") ?? [], reader.Targets("target_modules") ?? "embed");
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["token_indices"] = ConfigWriter.Ints(Tokens);
        config["target_modules"] = ConfigWriter.Targets(targets[Claims[0]]);
        config.TryAdd("init_weights", true);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        new AttributeText(nameof(TrainableTokens)).Argument("tokens", Tokens).Argument("targets", Targets, "embed").Common(this).ToString();
}
