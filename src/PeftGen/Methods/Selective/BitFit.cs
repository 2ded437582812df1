using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>BitFit: only biases train, <c>y = Wx + b'</c>, in copies that belong to the adapter.</summary>
/// <remarks>
/// Ben Zaken et al., "BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked Language-models", 2022. A copy starts at the base's values, so a new adapter changes nothing.
/// HF PEFT has no such method: its files open here alone.
/// </remarks>
/// <param name="targets">The biases, see <see cref="TargetList"/>. Default: all that are called so; <c>query.bias, intermediate.dense.bias</c> are the paper's smaller choice.</param>
public sealed class BitFit(string targets = "bias") : AdaptAttribute
{
    private IReadOnlyList<Claim>? _claims;

    /// <summary>The biases.</summary>
    [Adapts(SiteKind.Parameter, Hosts = [typeof(Linear), typeof(LayerNorm), typeof(BatchNorm), typeof(InstanceNorm), typeof(Embedding)])]
    public string Targets { get; } = targets;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_BITFIT";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => _claims ??= [new Claim(SiteKind.Parameter, TargetList.Parse(Targets))];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => TrainedParts.CreateSlot(site, PartNames.Bias);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config) => new BitFit(new ConfigReader(config).Targets("target_modules") ?? "bias");

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets) =>
        config["target_modules"] = ConfigWriter.Targets(targets[Claims[0]]);

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(BitFit)).Argument("targets", Targets, "bias").Common(this).ToString();
}
