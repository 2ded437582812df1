using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;

namespace PeftGen;

/// <summary>
/// An invertible adapter after the embeddings: with the channels' halves <c>x₁, x₂</c>, <c>y₁ = x₁ + F(x₂)</c>, <c>y₂ = x₂ + G(y₁)</c>; before the output head of a masked language model its
/// inverse, <c>x₂ = y₂ − G(y₁)</c>, <c>x₁ = y₁ − F(x₂)</c>.
/// </summary>
/// <remarks>
/// Pfeiffer et al., "MAD-X: An Adapter-Based Framework for Multi-Task Cross-Lingual Transfer", 2020; the coupling is that of Dinh et al., "NICE: Non-linear Independent Components Estimation", 2014.
/// AdapterHub's <c>inv_adapter: nice</c>, a part of its bottleneck's configuration there; here a method of its own, which shares a group with <see cref="Bottleneck"/>. F and G are each a linear layer,
/// a non-linearity and a linear layer, and start at N(0, 0.02) without bias, so a new adapter changes little.
/// </remarks>
/// <param name="reduction">How many times narrower F and G are inside than a half of the channels. Default: 2.</param>
/// <param name="targets">What returns the embeddings, one module or layer, see <see cref="TargetList"/>. Default: the module <c>embeddings</c>, or what else families call it; of T5 the encoder's.</param>
/// <param name="inverse">The linear layers before which the change is undone, where the model has them; null: none. Default: those of masked language models.</param>
[Merges(false)]
public sealed class Invertible([InRange(1, 4096)] double reduction = 2, string targets = Invertible.Embeddings, string? inverse = Invertible.MaskedHeads) : AdaptAttribute
{
    internal const string MaskedHeads = "predictions.decoder,lm_head.decoder", Part = "invertible";

    /// <summary>What AdapterHub's configuration of a bottleneck says of an invertible adapter.</summary>
    internal static readonly IReadOnlyList<string> HubFields = ["inv_adapter", "inv_adapter_reduction_factor"];

    private const string Embeddings = "embeddings";
    private const string Undoing = "inverse", Kind = "invertible adapter";

    /// <summary>How many times narrower F and G are inside than a half of the channels.</summary>
    public double Reduction { get; } = reduction;

    /// <summary>What returns the embeddings.</summary>
    [Adapts(SiteKind.Output, Exclusive = Kind, Single = true)]
    public string Targets { get; } = targets;

    /// <summary>The linear layers before which the change is undone.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], Optional = true)]
    public string? Inverse { get; } = inverse;

    /// <summary>The non-linearity, by the name that Hugging Face's models have for it. Default: relu.</summary>
    [OneOf(Methods.NonLinearity.Names)]
    public string NonLinearity { get; set; } = "relu";

    /// <summary>The width of the states, where the model does not show it: by its norms, embeddings or linear layers. Default: as the model shows it.</summary>
    [InRange(0, 1 << 24)]
    public int Width { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_INVERTIBLE";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??=
    [
        new Claim(SiteKind.Output, TargetList.Parse(Targets)) { Exclusive = Kind },
        .. Inverse is null ? (Claim[])[] : [new Claim(SiteKind.Layer, TargetList.Parse(Inverse), Purpose: Undoing) { Optional = true }],
    ];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => site.Claim.Purpose == Undoing ? new InverseSlot(site, this) : new InvertibleSlot(site, this);

    /// <summary>Whether a configuration is that of an invertible adapter, taken out of AdapterHub's of a bottleneck.</summary>
    internal static bool IsHubPart(JsonObject config) => new ConfigReader(config).Text("architecture") == Part;

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || IsHubPart(config);

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        if (!config.ContainsKey("architecture"))
            return new Invertible(reader.Double("reduction", 2), reader.Targets("target_modules") ?? Embeddings, reader.Targets("inverse_modules")) { NonLinearity = reader.Text("non_linearity") ?? "relu", Width = reader.Int("width", 0) };
        if (reader.Text("inv_adapter") is var form && form != "nice")
            throw new AdapterException($"'inv_adapter' is \"{form}\", expected \"nice\". (\"glow\" splits the tokens in place of the channels and fails in AdapterHub itself.)");
        return new Invertible(reader.Double("inv_adapter_reduction_factor", 2)) { NonLinearity = reader.Text("non_linearity") ?? "relu" };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["reduction"] = ConfigWriter.Number(Reduction);
        config["target_modules"] = ConfigWriter.OwnTargets(Targets);
        config["inverse_modules"] = Inverse is null ? null : ConfigWriter.OwnTargets(Inverse);
        config["non_linearity"] = NonLinearity;
        if (Width > 0)
            config["width"] = Width;
    }

    /// <inheritdoc/>
    public override void WriteHubConfig(JsonObject config, HubSites sites)
    {
        // Which heads undo the change is nothing that its configurations say: its own do, and no others.
        sites.Of(Claims[0], Embeddings);
        config["architecture"] = Part;
        config["inv_adapter"] = "nice";
        config["inv_adapter_reduction_factor"] = ConfigWriter.Number(Reduction);
        config["non_linearity"] = NonLinearity;
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(Invertible))
        .Argument("reduction", Reduction, 2.0).Argument("targets", Targets, Embeddings).Argument("inverse", Inverse, MaskedHeads)
        .Property(nameof(NonLinearity), NonLinearity, "relu").Property(nameof(Width), Width, 0).Common(this).ToString();
}
