using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// (IA)³: learned vectors rescale activations, <c>y = l ⊙ (Wx + b)</c> for keys and values, <c>y = W(l ⊙ x) + b</c> for the second layer of the feed-forward network.
/// </summary>
/// <remarks>
/// Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning", 2022. <c>l</c> starts at one, so a new
/// adapter changes nothing. Merged: <c>W ← diag(l)W, b ← l ⊙ b</c>, or <c>W ← W·diag(l)</c>.
/// </remarks>
/// <param name="targets">The linear layers to adapt, see <see cref="TargetList"/>. Default: the paper's.</param>
/// <param name="feedforward">Those of them that are scaled at their input. Default: the second layer of the feed-forward network.</param>
public sealed class IA3(string targets = "k,v,ffn_out", string feedforward = "ffn_out") : AdaptAttribute
{
    private const string PlainType = "IA3", PartsType = "PEFTGEN_PARTS_IA3";

    /// <summary>The linear layers to adapt.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Linear)], TakesParts = true)]
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

/// <summary>(IA)³ beside one linear layer; the formula is <see cref="IA3"/>'s.</summary>
internal sealed class IA3Slot : LayerSlot
{
    private const string Scale = "ia3_l";
    private readonly bool _atInput;
    private readonly FusedRows? _fused;

    public IA3Slot(Site site, bool atInput) : base(site.Path)
    {
        var layer = HostLinear.Of(site.Host.Module, site.Path, "(IA)³");
        _atInput = atInput;
        _fused = site.Parts is { } parts ? new FusedRows(parts, layer.Outputs) : null;
        if (atInput && _fused is not null)
            throw new AdapterException($"{site.Path}: 'feedforward' scales a layer's input, which all its parts share. Name the whole layer, or leave it out of feedforward.");
        long[] shape = atInput ? [1, layer.Inputs] : [_fused?.Length ?? layer.Outputs, 1];
        Learn(Scale, ones(shape, dtype: site.Dtype, device: site.Device));
    }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var factor = Factor();
        using var l = factor.flatten();
        if (!_atInput)
        {
            using var y = layer.forward(x);
            return Scaled(y, l);
        }

        using var scaled = Scaled(x, l);
        return layer.forward(scaled);
    }

    /// <summary>l as it stands on the weight: <c>[out, 1]</c>, with ones at parts that are not adapted, or <c>[1, in]</c>.</summary>
    private Tensor Factor() => _fused?.Columns(this[Scale], 1) ?? this[Scale].alias();

    /// <summary>x ⊙ l in the dtype of x.</summary>
    private static Tensor Scaled(Tensor x, Tensor l)
    {
        var product = x * l;
        if (product.dtype == x.dtype)
            return product;
        using (product)
            return product.to(x.dtype);
    }

    /// <summary>diag(l)W and l ⊙ b, or W·diag(l) and b.</summary>
    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value)
    {
        if (value is null || (name == "bias" && _atInput))
            return value;
        using var factor = Factor();
        using var l = name == "bias" ? factor.flatten() : HostLinear.Of(host, Path, "(IA)³").Oriented(factor);
        return context.Keep(Scaled(value, l));
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new($"{HuggingFaceKeys.Prefix}{Path}.{Scale}", this[Scale])];

    public override bool CanMerge => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host)
    {
        var layer = HostLinear.Of(host.Module, Path, "(IA)³");
        return _atInput || layer.Bias is null ? [layer.Weight] : [layer.Weight, layer.Bias];
    }

    public override void MergeInto(HostPart host)
    {
        var layer = HostLinear.Of(host.Module, Path, "(IA)³");
        using var factor = Factor();
        using var oriented = layer.Oriented(factor);
        Merging.Multiply(layer.Weight, oriented);
        if (_atInput || layer.Bias is null)
            return;
        using var l = factor.flatten();
        Merging.Multiply(layer.Bias, l);
    }
}
