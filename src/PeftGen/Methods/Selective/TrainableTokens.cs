using System.Text.Json.Nodes;
using PeftGen.Methods;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>Trainable tokens: the embeddings of some tokens train, all other rows stay the base's, bit for bit.</summary>
/// <remarks>As HF PEFT's method of the same name. The rows start at the base's values, so a new adapter changes nothing.</remarks>
/// <param name="tokens">The ids.</param>
/// <param name="targets">The embedding, see <see cref="TargetList"/>. Default: the input embedding.</param>
public sealed class TrainableTokens(int[] tokens, string targets = "embed") : AdaptAttribute
{
    /// <summary>The ids.</summary>
    public int[] Tokens { get; } = tokens;

    /// <summary>The embedding.</summary>
    [Adapts(SiteKind.Layer, Hosts = [typeof(Embedding)])]
    public string Targets { get; } = targets;

    /// <inheritdoc/>
    public override string PeftType => "TRAINABLE_TOKENS";

    /// <inheritdoc/>
    public override IReadOnlyList<Claim> Claims => field ??= [new Claim(SiteKind.Layer, TargetList.Parse(Targets))];

    /// <inheritdoc/>
    public override Slot CreateSlot(Site site) => new TrainedTokensSlot(site, Tokens, "");

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
        config["target_modules"] = ConfigWriter.Targets(TargetList.Parse(Targets), targets[Claims[0]]);
        config.TryAdd("init_weights", true);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        new AttributeText(nameof(TrainableTokens)).Argument("tokens", Tokens).Argument("targets", Targets, "embed").Property(nameof(Group), Group).ToString();
}

/// <summary>Rows of an embedding that train: where an id is one of the tokens, its trained row is looked up instead.</summary>
internal sealed class TrainedTokensSlot : LayerSlot
{
    private const string Rows = "trainable_tokens_delta";
    private readonly long[] _tokens;
    private readonly string _infix;

    public TrainedTokensSlot(Site site, int[] tokens, string infix) : base(site.Path)
    {
        _tokens = tokens.Select(t => (long)t).ToArray();
        _infix = infix;
        if (site.Host.Module is not Embedding embedding)
            throw new AdapterException($"{site.Path}: tokens train in an Embedding, and this is a {site.Host.Module.GetType().Name}.");
        using var table = embedding.weight!;
        if (_tokens.Length == 0 || _tokens.Distinct().Count() != _tokens.Length || _tokens.Any(t => t < 0 || t >= table.shape[0]))
            throw new AdapterException($"{site.Path}: the tokens are {string.Join(", ", _tokens)}, expected different ids from 0 to {table.shape[0] - 1}.");
        using var ids = Ids(table.device);
        Learn(Rows, table.detach().index_select(0, ids).to(site.Dtype));
    }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        using var ids = Ids(x.device);
        using var wide = x.unsqueeze(-1);
        using var hits = wide.eq(ids);
        using var hit = hits.any(-1, keepdim: true);
        using var place = hits.to(ScalarType.Int64).argmax(-1).reshape(-1);
        using var rows = this[Rows].index_select(0, place);
        using var shaped = rows.view(y.shape).to(y.dtype);
        return where(hit, shaped, y);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new($"{HuggingFaceKeys.Prefix}{Path}.{_infix}{Rows}", this[Rows])];

    public override bool CanMerge => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => host.Module.named_parameters(recurse: false).Select(p => p.parameter);

    public override void MergeInto(HostPart host)
    {
        var table = MergeTargets(host).Single();
        using var ids = Ids(table.device);
        using var rows = this[Rows].to(table.dtype);
        table.index_copy_(0, ids, rows);
    }

    private Tensor Ids(Device device) => tensor(_tokens, ScalarType.Int64, device);
}
