namespace PeftGen.Methods;

/// <summary>Where AdapterHub keeps in its files what belongs to a place of the host.</summary>
internal static class AdapterHubKeys
{
    private const string Layers = "vit.layers.", OldLayers = "vit.encoder.layer.";

    /// <summary>
    /// What a model's keys begin with: what holds the list of blocks, or the encoder or decoder that does. <c>bert.</c> for
    /// <c>bert.encoder.layer.0.output</c>, <c>model.</c> for <c>model.layers.0.mlp</c>, nothing for <c>encoder.block.0.layer.0.SelfAttention</c>.
    /// </summary>
    public static string BaseOf(string path)
    {
        var segments = path.Split('.').TakeWhile(segment => !int.TryParse(segment, out _)).SkipLast(1).ToList();
        if (segments is [.., "encoder" or "decoder"])
            segments.RemoveAt(segments.Count - 1);
        return string.Concat(segments.Select(segment => segment + "."));
    }

    /// <summary>
    /// The key of the adapters at a residual site: in the module that holds sum and norm, in T5's layer, else in the block,
    /// <c>model.layers.0.attention_adapters.adapters</c>.
    /// </summary>
    public static string OfResidual(string path, bool hasNorm)
    {
        var dot = path.LastIndexOf('.');
        if (hasNorm || dot < 0)
            return $"{path}.adapters";
        var (block, name) = (path[..dot], path[(dot + 1)..]);
        if (name is "SelfAttention" or "EncDecAttention" or "DenseReluDense")
            return $"{block}.adapters";
        var isAttention = name.Contains("att", StringComparison.OrdinalIgnoreCase);
        // ViT's blocks were named otherwise when the reference was written, and its feed-forward network was in two modules.
        return block.StartsWith(Layers, StringComparison.Ordinal)
            ? $"{OldLayers}{block[Layers.Length..]}.{(isAttention ? "attention_adapters" : "output.output_adapters")}.adapters"
            : $"{block}.{(isAttention ? "attention_adapters" : "output_adapters")}.adapters";
    }

    /// <summary>What a block's keys begin with; ViT's blocks were named otherwise when the reference was written.</summary>
    public static string OfBlock(string path) => path.StartsWith(Layers, StringComparison.Ordinal) ? OldLayers + path[Layers.Length..] : path;
}
