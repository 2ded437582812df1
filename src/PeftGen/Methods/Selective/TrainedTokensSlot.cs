using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Rows of an embedding that train: where an id is one of the tokens, its trained row is looked up instead.</summary>
internal sealed class TrainedTokensSlot : LayerSlot
{
    /// <summary>What an embedding has one of in a group: a head that is tied to it looks them up there.</summary>
    public const string Kind = "set of trained tokens";

    public const string Rows = "trainable_tokens_delta";
    private readonly TokenLookup _lookup;
    private readonly string _infix;
    private readonly long? _padding;

    /// <param name="site">The embedding.</param>
    /// <param name="tokens">The ids; the file has the rows in their order.</param>
    /// <param name="infix">What stands before the tensor's name in keys.</param>
    public TrainedTokensSlot(Site site, int[] tokens, string infix) : base(site.Path)
    {
        _infix = infix;
        if (site.Host.Module is not Embedding embedding)
            throw new AdapterException($"{site.Path}: tokens train in an Embedding, and this is a {site.Host.Module.GetType().Name}.");
        var table = embedding.weight!;
        if (tokens.Length == 0 || tokens.Distinct().Count() != tokens.Length || tokens.Any(t => t < 0 || t >= table.shape[0]))
            throw new AdapterException($"{site.Path}: the tokens are [{string.Join(", ", tokens.Take(20))}{(tokens.Length > 20 ? ", …" : "")}], expected different ids from 0 to {table.shape[0] - 1}.");
        _lookup = new TokenLookup(tokens);
        // Its place among the trained rows.
        _padding = PaddingRow.Of(embedding) is { } padding && Array.IndexOf(tokens, (int)padding) is >= 0 and var place ? place : null;
        site.WhenComplete(() => RefuseLeftBehind(site));
        Learn(Rows, table.detach().index_select(0, _lookup.Tokens(table.device)).to(site.Dtype));
    }

    /// <summary>The trained rows <c>[tokens, dim]</c>, for a head that has the same weight.</summary>
    internal Parameter Trained => this[Rows];

    /// <summary>The tokens on a device; the slot owns the tensor.</summary>
    internal Tensor TokensOn(Device device) => _lookup.Tokens(device);

    /// <summary>What has the same weight and no slot would go on with the old rows.</summary>
    private static void RefuseLeftBehind(Site site)
    {
        foreach (var (path, slots) in site.Sharing)
            if (!slots.Any(slot => slot is TiedTokensSlot or TrainedTokensSlot))
                throw new AdapterException(
                    $"{site.Path}: its weight is also that of {path}, which would keep the old rows, since no site is compiled for it. Call it through a field of the model whose name is a head's (lm_head, embed_out, predictions.decoder), or untie the weights.");
    }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        var (found, places) = _lookup.Find(x);
        using (found)
        using (places)
        {
            using var chosen = PaddingRow.Look(this[Rows], places, _padding);
            using var shaped = chosen.view(y.shape);
            using var rows = shaped.to(y.dtype);
            using var wide = found.view([.. x.shape, 1]);
            return where(wide, rows, y);
        }
    }

    /// <summary>The table with the trained rows in place of the base's.</summary>
    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value)
    {
        if (value is null || name != "weight")
            return value;
        using var rows = this[Rows].to(value.dtype, value.device);
        return context.Keep(value.index_copy(0, _lookup.Tokens(value.device), rows));
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new($"{HuggingFaceKeys.Prefix}{Path}.{_infix}{Rows}", this[Rows])];

    public override bool CanMerge => true;

    /// <summary>Every layer with this weight has the new rows once they are written.</summary>
    internal override bool MergesForAll => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => host.Module.named_parameters(recurse: false).Select(p => p.parameter);

    public override void MergeInto(HostPart host)
    {
        var table = MergeTargets(host).Single();
        using var rows = this[Rows].to(table.dtype, table.device);
        table.index_copy_(0, _lookup.Tokens(table.device), rows);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _lookup.Dispose();
        base.Dispose(disposing);
    }
}
