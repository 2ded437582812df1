using System.Text.Json.Nodes;
using PeftGen.Methods;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// Prefix tuning, flat: learned keys and values stand before those of every attention, <c>K = [P_K; K]</c>, <c>V = [P_V; V]</c>, visible to every query.
/// </summary>
/// <remarks>
/// Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", 2021, without the reparametrisation; AdapterHub's
/// <c>PrefixTuningConfig(flat=True)</c>. The prefix is not rotated and positions are not shifted. With <see cref="Gated"/> a gate for each example
/// and layer multiplies it (UniPELT).
/// </remarks>
/// <param name="length">The number of positions. Default: 30.</param>
/// <param name="targets">The modules whose attention is adapted, see <see cref="TargetList"/>. Default: all.</param>
[Merges(false)]
public sealed class PrefixTuning([InRange(1, 65536)] int length = 30, string targets = "**") : AdaptAttribute
{
    /// <summary>The number of positions.</summary>
    public int Length { get; } = length;

    /// <summary>The modules whose attention is adapted.</summary>
    [Adapts(SiteKind.Attention)]
    public string Targets { get; } = targets;

    /// <summary>Whether a learned gate for each example and layer multiplies the prefix.</summary>
    public bool Gated { get; set; }

    /// <inheritdoc/>
    public override bool CanMerge => false;

    /// <inheritdoc/>
    public override string PeftType => "PEFTGEN_PREFIX_TUNING";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Attention, TargetList.Parse(Targets))];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => new PrefixSlot(site, this);

    /// <inheritdoc/>
    public override bool Reads(JsonObject config) => base.Reads(config) || config["architecture"]?.ToJsonString() == "\"prefix_tuning\"";

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        if (!config.ContainsKey("architecture"))
            return new PrefixTuning(reader.Int("length", 30), reader.Targets("target_modules") ?? "**") { Gated = reader.Bool("gated", false) };
        reader.Refuse("leave_out", "leaving out layers");
        if (!reader.Bool("flat", false))
            throw new AdapterException("'flat' is false: a prefix behind an MLP is not supported. Eject it in AdapterHub, which makes it flat, and save it again.");
        if (!reader.Bool("shared_gating", true) || reader.Double("dropout", 0) != 0)
            throw new AdapterException("'shared_gating' is false or 'dropout' is not 0: neither is supported.");
        return new PrefixTuning(reader.Int("prefix_length", 30)) { Gated = reader.Bool("use_gating", false) };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        config["length"] = Length;
        config["target_modules"] = ConfigWriter.Targets(TargetList.Parse(Targets), Targets.Split(','));
        config["gated"] = Gated;
    }

    /// <inheritdoc/>
    public override string ToString() => new AttributeText(nameof(PrefixTuning))
        .Argument("length", Length, 30).Argument("targets", Targets, "**").Property(nameof(Gated), Gated, false).Property(nameof(Group), Group).ToString();
}

/// <summary>The prefixes of all layers in one parameter, <c>[length · layers · 2 · heads · head_dim]</c>: by position, then layer, then key and value.</summary>
internal sealed class PrefixTable(int length) : Slot("prefix")
{
    private const string Values = "control_trans";
    private string _root = "";
    private long _width;

    public int Layers { get; private set; }

    /// <summary>Takes in one more attention.</summary>
    /// <param name="path">Its path.</param>
    /// <param name="width">The size of its keys, <c>kv_heads · head_dim</c>.</param>
    /// <returns>Its place among the layers.</returns>
    public int Add(string path, long width)
    {
        if (Layers > 0 && width != _width)
            throw new AdapterException($"{path}: keys are {width} wide, those of the layers before {_width}; one prefix serves layers of one width.");
        _width = width;
        var first = path.Split('.')[0];
        // The table belongs to the base model, which heads hold in a field: "bert.", "model.".
        _root = first is "encoder" or "layers" or "layer" or "h" ? "" : first + ".";
        return Layers++;
    }

    /// <summary>Makes the parameter when all layers are known.</summary>
    public void Complete(Site site)
    {
        if (!named_parameters().Any())
            Learn(Values, Start.Normal(site, 0.02, length * Layers * 2 * _width));
    }

    /// <summary>The prefix of keys or values of a layer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="value">0 for keys, 1 for values.</param>
    /// <param name="heads">The number of heads of keys and values.</param>
    /// <returns><c>[1, heads, length, head_dim]</c>; the caller owns it.</returns>
    public Tensor Of(int layer, int value, long heads)
    {
        using var table = this[Values].view(length, 2 * Layers, heads, _width / heads);
        using var part = table.select(1, (2 * layer) + value);
        using var byHead = part.transpose(0, 1);
        return byHead.unsqueeze(0);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) =>
        [new(format == FileFormat.AdapterHub ? $"{_root}prefix_tuning.prefix_tunings.{{name}}.self_prefix.{Values}" : $"{HuggingFaceKeys.Prefix}{_root}prefix.{Values}", this[Values])];
}

/// <summary>The prefix at one attention; the formula is <see cref="PrefixTuning"/>'s.</summary>
internal sealed class PrefixSlot : AttentionSlot
{
    private readonly PrefixTable _table;
    private readonly int _layer;
    private readonly int _length;
    private readonly Gate? _gate;

    public PrefixSlot(Site site, PrefixTuning values) : base(site.Path)
    {
        var keys = site.FindLinear("k") ?? throw new AdapterException($"{site.Path}: the size of the keys is not to be seen: no linear layer here bears a name that keys have.");
        _length = values.Length;
        _table = site.Share("prefix", () => new PrefixTable(values.Length));
        _layer = _table.Add(site.Path, keys.weight.shape[0]);
        site.WhenComplete(() => _table.Complete(site));
        if (values.Gated)
            register_module("gate", _gate = new Gate(site, keys.weight.shape[1], GateSites.Prefix));
    }

    public override (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask)
    {
        using var g = _gate?.forward(context, x);
        using var gate = g?.view(-1, 1, 1, 1);
        return (context.Keep(Before(k, 0, gate)), context.Keep(Before(v, 1, gate)), mask is null ? null : context.Keep(Widened(mask)));
    }

    private Tensor Before(Tensor own, int value, Tensor? gate)
    {
        using var prefix = _table.Of(_layer, value, own.shape[1]);
        using var gated = gate is null ? prefix.alias() : prefix * gate;
        using var rows = gated.expand(own.shape[0], -1, -1, -1);
        using var typed = rows.to(own.dtype);
        return cat([typed, own], 2);
    }

    /// <summary>The additive mask with zeros before it: every query sees the prefix.</summary>
    private Tensor Widened(Tensor mask)
    {
        using var visible = zeros([.. mask.shape[..^1], _length], dtype: mask.dtype, device: mask.device);
        return cat([visible, mask], -1);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) =>
        _gate?.StoredAs(format == FileFormat.AdapterHub ? $"{Path}.prefix_tuning.prefix_gates.{{name}}" : $"{HuggingFaceKeys.Prefix}{Path}.prefix_gate") ?? [];
}
