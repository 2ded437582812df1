namespace PeftGen;

/// <summary>What a layer is for, under the names that the model families give it.</summary>
public sealed class Role
{
    private readonly TargetPattern[] _patterns;
    private readonly TargetPattern[] _except;

    internal Role(string name, string patterns, string except = "")
    {
        Name = name;
        _patterns = Read(patterns);
        _except = Read(except);
    }

    /// <summary>The role's name, for example <c>ffn_out</c>.</summary>
    public string Name { get; }

    /// <summary>One of the names that the families give it, for messages.</summary>
    internal string Example => _patterns[0].Text;

    /// <summary>Whether the module at a path has this role.</summary>
    public bool Matches(string path) => _patterns.Any(p => p.Matches(path)) && !_except.Any(p => p.Matches(path));

    private static TargetPattern[] Read(string list) =>
        list.Split([' '], StringSplitOptions.RemoveEmptyEntries).Select(TargetPattern.Parse).ToArray();
}

/// <summary>The roles that a target can name, with what the families call them.</summary>
public static class RoleTable
{
    /// <summary>The output head, which <c>all-linear</c> leaves out.</summary>
    public static Role Head { get; } = new("head", "lm_head classifier score embed_out qa_outputs cls.predictions.decoder");

    /// <summary>All roles.</summary>
    public static IReadOnlyList<Role> All { get; } =
    [
        new("q", "q_proj query q_lin wq to_q query_proj SelfAttention.q EncDecAttention.q"),
        new("k", "k_proj key k_lin wk to_k key_proj SelfAttention.k EncDecAttention.k"),
        new("v", "v_proj value v_lin wv to_v value_proj SelfAttention.v EncDecAttention.v"),
        new("o", "o_proj out_proj attention.output.dense out_lin attention.wo self_attn.dense attn.c_proj SelfAttention.o EncDecAttention.o"),
        new("ffn_in", "gate_proj up_proj gate_up_proj intermediate.dense fc1 c_fc wi wi_0 wi_1 lin1 feed_forward.w1 feed_forward.w3"),
        new("ffn_out", "down_proj output.dense fc2 mlp.c_proj DenseReluDense.wo lin2 feed_forward.w2", except: "attention.output.dense"),
        // What AdapterHub means by 'intermediate' and 'output'; in Llama they lie the other way round.
        new("hub_intermediate", "intermediate.dense c_fc fc1 down_proj wi wi_1"),
        new("hub_output", "output.dense mlp.c_proj fc2 up_proj DenseReluDense.wo", except: "attention.output.dense"),
        new("embed", "embed_tokens word_embeddings wte tok_embeddings embed_in shared"),
        new("blocks", "layers.* layer.* h.* block.*", except: "block.*.layer.*"),
        new("embeddings", "embed_tokens drop", except: "decoder.embed_tokens decoder.drop mlp.drop attn.drop"),
        new("norms", "input_layernorm post_attention_layernorm norm LayerNorm layer_norm layernorm final_layer_norm ln_1 ln_2 ln_f layernorm_before layernorm_after"),
        new("ffn", "output mlp DenseReluDense feed_forward", except: "attention.output"),
        new("attention", "attention.output self_attn attn SelfAttention"),
        new("self_attention", "attention.output self_attn attn SelfAttention layers.*.attention"),
        new("cross_attention", "EncDecAttention encoder_attn crossattention.output"),
        Head,
    ];

    /// <summary>The role of a name; null if there is none.</summary>
    public static Role? Find(string name) => All.FirstOrDefault(role => role.Name == name);
}
