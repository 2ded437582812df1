namespace PeftGen;

/// <summary>What people call projections that are several in one.</summary>
public static class FusedTable
{
    private static readonly string[] QueryKeyValue = ["q", "k", "v"];
    private static readonly HashSet<string> Joints = ["w", "to", "proj", "projection", "lin", "linear", "dense", "fc", "layer", "c", "net", "attn", "attention"];

    /// <summary>The parts of a layer of this name, of equal sizes and in the order of its outputs; null: it is known as none.</summary>
    /// <remarks>BLOOM's and GPT-NeoX's <c>query_key_value</c> alternates between heads, so its parts are no ranges.</remarks>
    /// <param name="path">The layer's name or path.</param>
    public static IReadOnlyList<string>? Find(string path)
    {
        var words = Words.Of(path.Substring(path.LastIndexOf('.') + 1));
        return words is ["c", "attn"] || words.Where(word => !Joints.Contains(word)).ToList() is ["qkv" or "wqkv"] ? QueryKeyValue : null;
    }
}
