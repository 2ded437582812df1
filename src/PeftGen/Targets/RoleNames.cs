namespace PeftGen;

/// <summary>What people call the parts of attention.</summary>
internal static class AttentionNames
{
    private static readonly string[] Connectors = ["", "proj", "projection", "lin", "linear", "layer", "dense", "fc", "net"];
    private static readonly HashSet<string> Queries = Joined("q", "query", "queries"), Keys = Joined("k", "key", "keys"), Values = Joined("v", "value", "values"), KeyValues = Joined("kv");
    private static readonly HashSet<string> Neutral = ["w", "to", "proj", "projection", "projector", "lin", "linear", "dense", "fc", "layer", "net", "weight", "weights", "matrix", "transform", "attn", "attention", "self", "cross", "c", "head"];
    private static readonly HashSet<string> Outputs = ["o", "wo", "out", "output", "outputs", "final", "unify", "unifyheads", "heads", "merge", "mergeheads", "combine", "concat", "res", "resid", "residual", "cproj", "oproj", "outproj"];
    private static readonly HashSet<string> OutputJoints = ["w", "to", "proj", "projection", "lin", "linear", "dense", "fc", "layer", "c", "net", "head", "weight"];
    private static readonly HashSet<string> Attentions = ["attn", "attention", "attentions", "attns", "selfattn", "selfattention", "crossattn", "crossattention", "mha", "mhsa", "msa", "multihead", "multiheadattention", "multiheadattn", "sa"];
    private static readonly HashSet<string> Holders = ["layer", "block", "module", "net", "sublayer", "unit"];

    /// <summary>Whether a projection's name alone tells that it is one: <c>q_proj</c>, and not <c>value</c>, which may be something else.</summary>
    public static bool IsProjection(string name) => Words.Of(name) is var words && words.Any(word => word is "proj" or "projection" or "w" or "to") || Words.Plain(name) is "query" or "wq" or "wk" or "wv" or "qlin" or "klin" or "vlin" or "qproj" or "kproj" or "vproj";

    /// <summary>Which part of attention a name means: q, k, v or kv; null: none.</summary>
    public static string? PartOf(string name)
    {
        var own = Words.Of(name).Where(word => !Neutral.Contains(word)).ToList();
        return own is not [var only] ? null : Queries.Contains(only) ? "q" : Keys.Contains(only) ? "k" : Values.Contains(only) ? "v" : KeyValues.Contains(only) ? "kv" : null;
    }

    /// <summary>Whether a layer within an attention puts its output together, by the name.</summary>
    public static bool IsOutput(string name)
    {
        var own = Words.Of(name).Where(word => !OutputJoints.Contains(word)).ToList();
        return PartOf(name) is null && (own.Count == 0 || (own.Any(Outputs.Contains) && own.All(word => Outputs.Contains(word) || word is "attn" or "attention")));
    }

    /// <summary>Whether a module's name says that it is an attention.</summary>
    public static bool IsAttention(string name)
    {
        var words = Words.Of(name).Reverse().SkipWhile(word => Holders.Contains(word) || word.All(char.IsDigit)).ToList();
        return words.Count > 0 && (Attentions.Contains(words[0]) || words[0].EndsWith("attention", StringComparison.Ordinal) || (words.Count > 1 && words[1] == "multi" && words[0] == "head"));
    }

    /// <summary>Whether an attention's name, or that of what holds it, says that it reads another sequence.</summary>
    public static bool IsCross(string name) => Words.Of(name) is var words && (words.Any(word => word is "cross" or "crossattn" or "crossattention" or "src" or "source" or "memory" or "encdec")
        || (words.Any(word => word is "enc" or "encoder") && IsAttention(name)));

    private static HashSet<string> Joined(params string[] words) =>
        [.. words.SelectMany(word => Connectors.Select(connector => word + connector)), .. words.SelectMany(word => new[] { "w", "to", "lin", "linear", "fc", "proj" }.Select(connector => connector + word))];
}

/// <summary>What people call feed-forward networks and their layers.</summary>
internal static class FeedForwardNames
{
    private static readonly HashSet<string> Networks = ["mlp", "ffn", "ff", "ffwd", "feedforward", "feedfwd", "fforward", "pwff", "densereludense", "moe"];
    private static readonly HashSet<string> Holders = ["layer", "block", "module", "net", "network", "sublayer", "unit"];
    private static readonly HashSet<string> In = ["gateproj", "upproj", "gateupproj", "fc1", "cfc", "lin1", "wi", "wi0", "wi1"];
    private static readonly HashSet<string> Out = ["downproj", "fc2", "lin2"];
    private static readonly HashSet<string> InWithin = ["w1", "w3", "wgate", "wup", "gate", "up", "linear1", "dense1", "fcin", "linearin", "in", "input", "inner", "expand", "dense", "intermediate", "densehto4h", "l1", "layer1", "conv1", "c1", "linearlayer1", "lineargate", "projin", "inproj", "linearup", "fcup", "first", "w12"];
    private static readonly HashSet<string> OutWithin = ["w2", "wdown", "down", "linear2", "dense2", "fcout", "linearout", "out", "output", "outer", "contract", "proj", "projection", "cproj", "wo", "dense4htoh", "l2", "layer2", "conv2", "c2", "linearlayer2", "projout", "outproj", "outputproj", "outputprojection", "lineardown", "fcdown", "second"];

    /// <summary>Whether a module's name says that it is a feed-forward network.</summary>
    public static bool IsFeedForward(string name)
    {
        if (Networks.Contains(Words.Plain(name)))
            return true;
        var words = Words.Of(name).Reverse().SkipWhile(word => Holders.Contains(word) || word.All(char.IsDigit)).ToList();
        return words.Count > 0 && (Networks.Contains(words[0]) || (words.Count > 1 && words[0] is "forward" or "fwd" && words[1] == "feed"));
    }

    /// <summary>Whether a layer is a network's first, by its name; within one, names count that elsewhere say nothing.</summary>
    public static bool IsFirst(string name, bool within) => Words.Plain(name) is var plain && (In.Contains(plain) || (within && InWithin.Contains(plain)));

    /// <summary>Whether a layer is a network's last, by its name; within one, names count that elsewhere say nothing.</summary>
    public static bool IsLast(string name, bool within) => Words.Plain(name) is var plain && (Out.Contains(plain) || (within && OutWithin.Contains(plain)));
}

/// <summary>What people call norms.</summary>
internal static class NormNames
{
    /// <summary>Whether a name says that it is a norm.</summary>
    public static bool IsNorm(string name) => Words.Of(name).Any(word => word is "norm" or "norms" or "ln" or "normalization" or "normalisation" or "layernorm" or "rmsnorm" or "groupnorm" or "scalenorm" or "lnorm" || word.EndsWith("layernorm", StringComparison.Ordinal));
}

/// <summary>What people call embeddings of tokens.</summary>
internal static class EmbeddingNames
{
    private static readonly HashSet<string> Embeddings = ["embed", "embeds", "embedding", "embeddings", "embedder", "emb", "embd", "embs", "wte", "shared", "vocab", "vocabulary", "tok", "token", "tokens", "word", "words", "lookup"];
    private static readonly HashSet<string> Others = ["pos", "position", "positions", "positional", "wpe", "segment", "segments", "seg", "type", "types", "relative", "rel", "bias", "time", "timestep", "patch", "class", "cls", "label", "speaker", "modality", "rotary", "rope"];

    /// <summary>Whether a name says that tokens are looked up.</summary>
    public static bool IsOfTokens(string name) => !IsOfOthers(name)
        && Words.Of(name) is var words && words.Any(word => Embeddings.Contains(word) || word.EndsWith("embedding", StringComparison.Ordinal) || word.EndsWith("embeddings", StringComparison.Ordinal));

    /// <summary>Whether a name says that something else is looked up, such as positions.</summary>
    public static bool IsOfOthers(string name) => Words.Of(name).Any(word => Others.Contains(word) || word.StartsWith("pos", StringComparison.Ordinal));
}

/// <summary>What people call output heads.</summary>
internal static class HeadNames
{
    private static readonly HashSet<string> Anywhere = ["classifier", "score", "embedout", "qaoutputs", "unembed", "unembedding", "logits", "tologits", "vocabproj", "vocabprojection", "lmhead"];
    private static readonly HashSet<string> AtRoot = ["output", "out", "decoder", "outputlayer", "outputproj", "outputprojection", "outproj", "outputlinear", "fcout", "linearout", "projout", "toout", "final", "finallayer", "finallinear", "finalproj", "generator"];

    /// <summary>Whether a layer is an output head, by its name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="isAtRoot">Whether it stands where the model's own parts do, where words count that elsewhere mean other layers.</param>
    public static bool IsHead(string name, bool isAtRoot) => Words.Plain(name) is var plain && (Anywhere.Contains(plain) || Words.Of(name) is [.., "head"] || (isAtRoot && AtRoot.Contains(plain)));
}
