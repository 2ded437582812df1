using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>UniPELT's gate: <c>g = mean over tokens of σ(w·x + b)</c>, one number for each example.</summary>
/// <remarks>Mao et al., "UniPELT: A Unified Framework for Parameter-Efficient Language Model Tuning", 2022. The mean counts padding, as the reference does.</remarks>
internal sealed class Gate : Slot
{
    private const string Weight = "weight", Bias = "bias";
    private readonly string _recordName;

    /// <param name="site">The site that is gated.</param>
    /// <param name="inputs">The size of the gate's input.</param>
    /// <param name="siteName">What AdapterHub calls the kind of site; recorded values bear it.</param>
    public Gate(Site site, long inputs, string siteName) : base(site.Path)
    {
        _recordName = $"{site.Path}:{siteName}";
        Learn(Weight, Start.Normal(site, 0.02, 1, inputs));
        Learn(Bias, zeros(1, dtype: site.Dtype, device: site.Device));
    }

    /// <summary>The gate's value.</summary>
    /// <param name="context">The context, in which the value is recorded.</param>
    /// <param name="x">The gate's input, <c>[batch, tokens, dim]</c>.</param>
    /// <returns><c>[batch]</c>; the caller owns it.</returns>
    public Tensor forward(ForwardContext context, Tensor x)
    {
        using var typed = x.dtype == this[Weight].dtype ? null : x.to(this[Weight].dtype);
        using var logits = linear(typed ?? x, this[Weight], this[Bias]);
        using var open = logits.sigmoid();
        using var flat = open.reshape(open.shape[0], -1);
        var g = flat.mean([1]);
        context.Record(_recordName, g);
        return g;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];

    /// <summary>The gate's tensors under the key that its owner has for it.</summary>
    public IEnumerable<StoredTensor> StoredAs(string key) => [new($"{key}.weight", this[Weight]), new($"{key}.bias", this[Bias])];
}

/// <summary>What AdapterHub calls the sites of gates.</summary>
internal static class GateSites
{
    public const string Prefix = "self_prefix";

    public static string OfLinear(Site site) =>
        site.IsAmong(TargetList.Parse("ffn_in")) ? "intermediate_lora" : site.IsAmong(TargetList.Parse("ffn_out")) ? "output_lora" : "selfattn_lora";

    public static string OfResidual(Site site) => site.IsAmong(TargetList.Parse("attention")) ? "mh_adapter" : "output_adapter";
}
