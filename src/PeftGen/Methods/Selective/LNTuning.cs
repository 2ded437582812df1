using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>LN tuning: only the norms train, <c>y = LN(x; w', b')</c>, in copies that belong to the adapter.</summary>
/// <remarks>Zhao et al., "Tuning LayerNorm in Attention", 2023. A copy starts at the base's values, so a new adapter changes nothing.</remarks>
/// <param name="targets">The norms, see <see cref="TargetList"/>. Default: all, by the names that the model families give them.</param>
public sealed class LNTuning(string targets = "norms") : AdaptAttribute
{
    /// <summary>The norms.</summary>
    [Adapts(SiteKind.Parameter, Hosts = [typeof(Linear), typeof(LayerNorm), typeof(BatchNorm), typeof(InstanceNorm), typeof(Embedding)])]
    public string Targets { get; } = targets;

    /// <summary>Norms that <see cref="Targets"/> match but that are left out.</summary>
    [LeavesOut(nameof(Targets))]
    public string? Exclude { get; set; }

    /// <inheritdoc/>
    public override string PeftType => "LN_TUNING";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Parameter, TargetList.Parse(Targets), Exclude is null ? null : TargetList.Parse(Exclude))];

    private Claim? Excluded => Exclude is null ? null : new(SiteKind.Parameter, TargetList.Parse(Exclude), Purpose: "excluded");

    /// <inheritdoc/>
    public override IEnumerable<Claim> NamedClaims => Excluded is { } excluded ? Claims.Append(excluded) : Claims;

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => TrainedParts.CreateSlot(site, PartNames.Norm);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        return new LNTuning(reader.Targets("target_modules") ?? "norms") { Exclude = reader.Targets("exclude_modules") };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["target_modules"] = ConfigWriter.Targets(targets[Claims[0]]);
        config["exclude_modules"] = Exclude is null ? null : ConfigWriter.Targets(targets[Excluded!]);
        config.TryAdd(WholeModules.Field, null);
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(LNTuning))
        .Argument("targets", Targets, "norms").Property(nameof(Exclude), Exclude).Common(this).ToString();
}
