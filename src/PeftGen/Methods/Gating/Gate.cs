using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>UniPELT's gate: <c>g = mean over tokens of σ(w·x + b)</c>, one number for each example, or one for each part of a fused layer.</summary>
/// <remarks>Mao et al., "UniPELT: A Unified Framework for Parameter-Efficient Language Model Tuning", 2022.</remarks>
internal sealed class Gate : Slot
{
    private const string Weight = "weight", Bias = "bias";
    private readonly string _recordName;
    private readonly GatePooling _pooling;

    /// <param name="site">The site that is gated.</param>
    /// <param name="inputs">The size of the gate's input.</param>
    /// <param name="siteName">What AdapterHub calls the kind of site; recorded values bear it.</param>
    /// <param name="pooling">Over which tokens the mean goes.</param>
    /// <param name="count">How many gates there are.</param>
    public Gate(Site site, long inputs, string siteName, GatePooling pooling, int count = 1) : base(site.Path)
    {
        _recordName = GateRecords.NameOf(site.Path, siteName);
        _pooling = GateSites.SeesMaskedTokens(site) ? pooling : GatePooling.All;
        Learn(Weight, Start.Normal(site, 0.02, count, inputs));
        Learn(Bias, site.Zeros(count));
    }

    /// <summary>The gate's value.</summary>
    /// <param name="context">The context, in which the value is recorded.</param>
    /// <param name="x">The gate's input, <c>[batch, tokens, dim]</c>.</param>
    /// <returns><c>[batch]</c>, or <c>[batch, gates]</c> of several; the caller owns it.</returns>
    public Tensor forward(ForwardContext context, Tensor x)
    {
        using var typed = x.dtype == this[Weight].dtype ? null : x.to(this[Weight].dtype);
        using var logits = linear(typed ?? x, this[Weight], this[Bias]);
        using var open = logits.sigmoid();
        using var flat = open.reshape(open.shape[0], -1, open.shape[^1]);
        using var means = _pooling == GatePooling.All ? flat.mean([1]) : MaskedMean(context, flat);
        var g = means.shape[1] == 1 ? means.squeeze(1) : means.alias();
        context.Record(_recordName, g);
        return g;
    }

    private Tensor MaskedMean(ForwardContext context, Tensor open)
    {
        var mask = context[InputRole.AttentionMask] ?? throw new AdapterException(
            $"{Path}: the gate takes its mean over real tokens, and this call has no attention mask. Give the model's mask a name that tells it or " +
            "[Input(InputRole.AttentionMask)], pass it in ForwardOptions.Inputs, or use GatePooling.All.");
        // With a cache, a mask also says it of the tokens before.
        using var own = mask.dim() == 2 && mask.shape[1] > open.shape[1] ? mask.narrow(1, mask.shape[1] - open.shape[1], open.shape[1]) : mask.alias();
        if (!own.shape.SequenceEqual(open.shape[..2]))
            throw new AdapterException(
                $"{Path}: the attention mask is [{string.Join(", ", mask.shape)}], expected [{string.Join(", ", open.shape[..2])}], 1 at real tokens and 0 at padding.");
        using var typed = own.to(open.dtype);
        using var real = typed.unsqueeze(-1);
        using var kept = open * real;
        using var sum = kept.sum(1);
        using var count = real.sum(1);
        using var some = count.clamp_(min: 1);
        return sum / some;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];

    /// <summary>The gate's tensors under the key that its owner has for it.</summary>
    public IEnumerable<StoredTensor> StoredAs(string key) => [new($"{key}.weight", this[Weight]), new($"{key}.bias", this[Bias])];
}

/// <summary>What AdapterHub calls the sites of gates.</summary>
internal static class GateSites
{
    public static string OfLinear(Site site) =>
        Has(site, "hub_intermediate") ? "intermediate_lora" : Has(site, "hub_output") ? "output_lora" : "selfattn_lora";

    /// <summary>Whether the call's mask is that of the site's tokens: in an encoder-decoder it is the encoder's, whose output the keys and values of cross attention see.</summary>
    public static bool SeesMaskedTokens(Site site)
    {
        var place = AttentionPlace.Of(site);
        return !place.InEncoderDecoder || place.Kind == AttentionKind.Encoder
            || (place.Kind == AttentionKind.Cross && site.Kind == SiteKind.Layer && (Has(site, "k") || Has(site, "v")));
    }

    public static string OfResidual(Site site) => Has(site, "self_attention") ? "mh_adapter" : Has(site, "cross_attention") ? "cross_adapter" : "output_adapter";

    // The role itself: as a target, 'attention' would mean the modules of that name where a model has them.
    private static bool Has(Site site, string role) => site.Has(role);
}
