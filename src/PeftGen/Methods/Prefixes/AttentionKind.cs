namespace PeftGen.Methods;

/// <summary>What an attention attends to. An encoder-decoder has a prefix for each.</summary>
internal enum AttentionKind
{
    /// <summary>The tokens themselves; in an encoder-decoder, the decoder's.</summary>
    Self,

    /// <summary>The tokens themselves, in the encoder of an encoder-decoder.</summary>
    Encoder,

    /// <summary>The encoder's output.</summary>
    Cross,
}

/// <summary>Where an attention stands, read from its path.</summary>
/// <param name="Base">The path of what holds the list of blocks, or the encoder or decoder that does: <c>bert.</c> for <c>bert.encoder.layer.0.attention.self</c>, <c>model.</c> for <c>model.layers.0.self_attn</c>.</param>
/// <param name="Kind">What it attends to.</param>
/// <param name="InEncoderDecoder">Whether the base has an encoder and a decoder.</param>
internal readonly record struct AttentionPlace(string Base, AttentionKind Kind, bool InEncoderDecoder)
{
    private static readonly IReadOnlyList<string> Crossing = ["EncDecAttention", "encoder_attn", "crossattention", "cross_attn", "cross_attention"];

    /// <summary>What AdapterHub calls the prefix of this kind of attention.</summary>
    public string PrefixName => Kind switch
    {
        AttentionKind.Encoder => "encoder_prefix",
        AttentionKind.Cross => "cross_prefix",
        _ => "self_prefix",
    };

    /// <summary>The place of a site.</summary>
    public static AttentionPlace Of(Site site)
    {
        var segments = site.Path.Split('.');
        var path = AdapterHubKeys.BaseOf(site.Path);
        var half = segments.TakeWhile(segment => !int.TryParse(segment, out _)).SkipLast(1).LastOrDefault();
        var both = half is "encoder" or "decoder" && site.HasModule($"{path}encoder") && site.HasModule($"{path}decoder");
        var kind = segments.Any(Crossing.Contains) ? AttentionKind.Cross : both && half == "encoder" ? AttentionKind.Encoder : AttentionKind.Self;
        return new(path, kind, both);
    }
}
