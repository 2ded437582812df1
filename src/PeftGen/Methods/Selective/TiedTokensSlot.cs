using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>A head whose weight is an embedding's with trained rows: <c>y[…, token] = row · x</c>. The rows belong to the embedding's slot.</summary>
internal sealed class TiedTokensSlot : LayerSlot
{
    /// <summary>The heads that models tie to their embeddings.</summary>
    public const string Heads = "lm_head,embed_out,predictions.decoder";

    private readonly string _infix;
    private TrainedTokensSlot? _embedding;

    /// <param name="site">The head.</param>
    /// <param name="infix">What stands before the tensor's name in keys.</param>
    public TiedTokensSlot(Site site, string infix) : base(site.Path)
    {
        _infix = infix;
        site.WhenComplete(() => _embedding = site.Sharing.SelectMany(other => other.slots).OfType<TrainedTokensSlot>().FirstOrDefault() ?? throw new AdapterException(
            $"{Path}: its weight is also that of {string.Join(" and ", site.Sharing.Select(other => other.path))}, of which no tokens train. Name the embedding that has it in the targets."));
    }

    private TrainedTokensSlot Embedding => _embedding!;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var y = layer.forward(x);
        var tokens = Embedding.TokensOn(x.device);
        using var rows = Embedding.Trained.to(x.dtype);
        using var bias = HostLinear.Of(layer.Host, Path, nameof(TrainableTokens)).Bias?.index_select(0, tokens);
        using var columns = linear(x, rows, bias);
        using var typed = columns.to(y.dtype);
        return y.index_copy(-1, tokens, typed);
    }

    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value) => Embedding.read(context, host, name, value);

    /// <summary>HF PEFT writes the rows for head and embedding where they are all that trains, and beside another method for the embedding alone.</summary>
    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _infix.Length == 0 ? [new(Key, Embedding.Trained)] : [];

    internal override IEnumerable<string> Repeated(FileFormat format) => _infix.Length == 0 ? [] : [Key];

    private string Key => $"{HuggingFaceKeys.Prefix}{Path}.{_infix}{TrainedTokensSlot.Rows}";

    public override bool CanMerge => true;

    internal override bool MergesForAll => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => [HostLinear.Of(host.Module, Path, nameof(TrainableTokens)).Weight];

    /// <summary>The embedding's slot writes the rows.</summary>
    public override void MergeInto(HostPart host) { }
}
