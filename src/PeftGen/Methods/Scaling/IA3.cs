using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// (IA)³: learned vectors rescale activations, <c>y = l ⊙ (Wx + b)</c> for keys and values, <c>y = W(l ⊙ x) + b</c> for the second layer of the feed-forward network.
/// </summary>
/// <remarks>
/// Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", 2022. <c>l</c> starts at one, so a new
/// adapter changes nothing. Merged: <c>W ← diag(l)W, b ← l ⊙ b</c>, or <c>W ← W·diag(l)</c>.
/// </remarks>
/// <param name="targets">The layers to adapt, linear or convolution, see <see cref="TargetList"/>. Default: the paper's.</param>
/// <param name="feedforward">Those of them that are scaled at their input. Default: the second layer of the feed-forward network.</param>
public sealed class IA3(string targets = "k,v,ffn_out", string feedforward = "ffn_out") : AdaptAttribute
{
    private const string PlainType = "IA3", PartsType = "PEFTGEN_PARTS_IA3";

    /// <summary>The layers to adapt, linear or convolution.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear), typeof(Conv1d), typeof(Conv2d), typeof(Conv3d)], TakesParts = true)]
    public string Targets { get; } = targets;

    /// <summary>Those of <see cref="Targets"/> that are scaled at their input; empty: none.</summary>
    [Within(nameof(Targets))]
    public string Feedforward { get; } = feedforward;

    /// <summary>Layers that <see cref="Targets"/> match but that are left out.</summary>
    [LeavesOut(nameof(Targets))]
    public string? Exclude { get; set; }

    /// <summary>Modules that train whole, in copies that belong to the adapter.</summary>
    [Adapts(SiteKind.Parameter, Optional = true)]
    public string? ModulesToSave { get; set; }

    /// <inheritdoc/>
    public override string PeftType => PlainType;

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => new ConfigReader(config).Text("peft_type") is PlainType or PartsType;

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= BuildClaims();

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => site.Claim.Kind == SiteKind.Parameter
        ? TrainedParts.CreateSlot(site, PartNames.Module)
        : new IA3Slot(site, Feedforward.Length > 0 && site.IsAmong(TargetList.Parse(Feedforward)));

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        return new IA3(reader.Targets("target_modules") ?? "k,v,ffn_out", reader.Targets("feedforward_modules") ?? "")
        {
            Exclude = reader.Targets("exclude_modules"),
            ModulesToSave = reader.Targets("modules_to_save"),
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        var feedforward = Feedforward.Length == 0 ? [] : targets[FeedforwardClaim];
        // Parts of a layer are nothing that HF PEFT has; it must not take them for the whole.
        if (targets[Claims[0]].Any(n => n.Contains('[')))
            config["peft_type"] = PartsType;
        // HF PEFT wants them word for word among the targets.
        var all = targets[Claims[0]].Union(feedforward).ToList();
        config["target_modules"] = ConfigWriter.Targets(TargetList.Parse(Targets), all);
        config["feedforward_modules"] = Feedforward.Length == 0 ? new JsonArray() : ConfigWriter.Targets(TargetList.Parse(Feedforward), feedforward);
        config["exclude_modules"] = Exclude is null ? null : ConfigWriter.Targets(TargetList.Parse(Exclude), targets[ExcludedClaim!]);
        config["modules_to_save"] = ModulesToSave is null ? null : ConfigWriter.Names(targets[Claims[1]]);
        // Which way a matrix is kept is the layer's affair; HF PEFT sets this by itself where it has to be.
        config.TryAdd("fan_in_fan_out", false);
        config["init_ia3_weights"] = true;
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(IA3))
        .Argument("targets", Targets, "k,v,ffn_out").Argument("feedforward", Feedforward, "ffn_out")
        .Property(nameof(Exclude), Exclude).Property(nameof(ModulesToSave), ModulesToSave).Property(nameof(Group), Group).ToString();

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => [.. Claims, .. Feedforward.Length == 0 ? [] : (Claim[])[FeedforwardClaim], .. ExcludedClaim is { } excluded ? (Claim[])[excluded] : []];

    // Not among the claims, since its sites are; only its names are wanted, for the file.
    private Claim FeedforwardClaim =>
        new(SiteKind.Layer, TargetList.Parse(Feedforward), Exclude is null ? null : TargetList.Parse(Exclude), Purpose: "feedforward") { Within = TargetList.Parse(Targets) };

    private Claim? ExcludedClaim => Exclude is null ? null : new(SiteKind.Layer, TargetList.Parse(Exclude), Purpose: "excluded");

    private List<Claim> BuildClaims()
    {
        List<Claim> claims = [new Claim(SiteKind.Layer, TargetList.Parse(Targets), Exclude is null ? null : TargetList.Parse(Exclude)) { TakesParts = true }];
        if (ModulesToSave is not null)
            claims.Add(new Claim(SiteKind.Parameter, TargetList.Parse(ModulesToSave)));
        return claims;
    }
}
