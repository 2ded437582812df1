namespace PeftGen;

/// <summary>What the model families call projections that are several in one.</summary>
public static class FusedTable
{
    private static readonly string[] QueryKeyValue = ["q", "k", "v"];

    /// <summary>The parts of a layer of this name, of equal sizes and in the order of its outputs; null: it is known as none.</summary>
    /// <remarks>BLOOM's and GPT-NeoX's <c>query_key_value</c> alternates between heads, so its parts are no ranges.</remarks>
    /// <param name="path">The layer's name or path.</param>
    public static IReadOnlyList<string>? Find(string path) =>
        path.Substring(path.LastIndexOf('.') + 1) is "c_attn" or "qkv" or "qkv_proj" or "Wqkv" ? QueryKeyValue : null;
}
