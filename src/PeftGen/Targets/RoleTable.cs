namespace PeftGen;

/// <summary>What a layer is for, under the names that people give it.</summary>
/// <remarks>Names are read as their words, so that <c>_q_proj</c>, <c>qProj</c> and <c>Wq</c> are the same, and in their place: <c>value</c> is a projection where <c>query</c> stands beside it.</remarks>
public sealed class Role
{
    private readonly Func<ModelShape, string, bool> _matches;

    internal Role(string name, string example, Func<ModelShape, string, bool> matches)
    {
        Name = name;
        Example = example;
        _matches = matches;
    }

    /// <summary>The role's name, for example <c>ffn_out</c>.</summary>
    public string Name { get; }

    /// <summary>One of the names that the families give it, for messages.</summary>
    internal string Example { get; }

    /// <summary>Whether what stands at a path of a model has this role.</summary>
    internal bool Matches(ModelShape model, string path) => path.Length > 0 && model.KindOf(path) != CandidateKind.Parameter && _matches(model, path);
}

/// <summary>The roles that a target can name.</summary>
public static class RoleTable
{
    /// <summary>The output head, which <c>all-linear</c> leaves out.</summary>
    public static Role Head { get; } = new("head", "lm_head", Roles.IsHead);

    /// <summary>All roles.</summary>
    public static IReadOnlyList<Role> All { get; } =
    [
        new("q", "q_proj", (model, path) => Roles.IsPart(model, path, "q")),
        new("k", "k_proj", (model, path) => Roles.IsPart(model, path, "k")),
        new("v", "v_proj", (model, path) => Roles.IsPart(model, path, "v")),
        new("o", "o_proj", Roles.IsAttentionOutput),
        new("ffn_in", "gate_proj", Roles.IsFirstOfFeedForward),
        new("ffn_out", "down_proj", Roles.IsLastOfFeedForward),
        // What AdapterHub means by 'intermediate' and 'output'; in Llama they lie the other way round.
        new("hub_intermediate", "intermediate.dense", (model, path) => ModelShape.NameOf(path) == "down_proj"
            || (ModelShape.NameOf(path) is not ("up_proj" or "gate_proj" or "gate_up_proj" or "wi_0") && Roles.IsFirstOfFeedForward(model, path))),
        new("hub_output", "output.dense", (model, path) => ModelShape.NameOf(path) == "up_proj"
            || (ModelShape.NameOf(path) != "down_proj" && Roles.IsLastOfFeedForward(model, path))),
        new("embed", "embed_tokens", Roles.IsTokenEmbedding),
        new("blocks", "layers.*", Roles.IsBlock),
        new("embeddings", "embed_tokens", Roles.EndsEmbeddings),
        new("norms", "input_layernorm", Roles.IsNorm),
        new("ffn", "mlp", Roles.IsFeedForward),
        new("attention", "self_attn", Roles.IsSelfAttention),
        new("self_attention", "self_attn", Roles.IsSelfAttention),
        new("cross_attention", "encoder_attn", Roles.IsCrossAttention),
        Head,
    ];

    /// <summary>The role that a name has by itself, wherever it may stand; null: it says none.</summary>
    internal static Role? OfName(string path) =>
        All.FirstOrDefault(role => role.Name == AttentionNames.PartOf(ModelShape.NameOf(path))) ?? All.FirstOrDefault(role => role.Matches(ModelShape.Empty, path));

    /// <summary>The role of a name; null if there is none.</summary>
    public static Role? Find(string name) => All.FirstOrDefault(role => role.Name == name);
}
