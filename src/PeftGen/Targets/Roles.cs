namespace PeftGen;

/// <summary>Tells what the parts of a model are for, by name, type and place.</summary>
internal static class Roles
{
    /// <summary>A projection of queries, keys or values.</summary>
    public static bool IsPart(ModelShape model, string path, string part)
    {
        var own = ModelShape.WithoutIndex(path);
        return IsLayer(model, path) && AttentionNames.PartOf(ModelShape.NameOf(own)) == part
            && (AttentionNames.IsProjection(ModelShape.NameOf(own)) || model.ShowsAttention(ModelShape.ParentOf(own)));
    }

    /// <summary>The layer that puts the output of an attention together.</summary>
    public static bool IsAttentionOutput(ModelShape model, string path)
    {
        if (!IsLayer(model, path))
            return false;
        var own = ModelShape.WithoutIndex(path);
        var (name, parent) = (ModelShape.NameOf(own), ModelShape.ParentOf(own));
        if (Words.Plain(name) is "oproj" or "outproj" or "outlin")
            return true;
        return AttentionNames.IsOutput(name) && (model.IsAttention(parent) || EndsAttention(model, parent));
    }

    /// <summary>A class that ends an attention by one layer of its own, as BERT's <c>attention.output</c>.</summary>
    private static bool EndsAttention(ModelShape model, string path) =>
        ModelShape.NameOf(path) is "output" && ModelShape.ParentOf(path) is { Length: > 0 } parent && AttentionNames.IsAttention(ModelShape.NameOf(parent));

    /// <summary>The first layer of a feed-forward network, or those that are its first side by side.</summary>
    public static bool IsFirstOfFeedForward(ModelShape model, string path) =>
        IsLayer(model, path) && (FeedForwardNames.IsFirst(ModelShape.NameOf(path), IsWithin(model, path)) || EndsAs(path, "intermediate", "dense") || IsEndOfSequence(model, path, first: true));

    /// <summary>The last layer of a feed-forward network.</summary>
    public static bool IsLastOfFeedForward(ModelShape model, string path)
    {
        if (!IsLayer(model, path))
            return false;
        return FeedForwardNames.IsLast(ModelShape.NameOf(path), IsWithin(model, path))
            || (EndsAs(path, "output", "dense") && !EndsAttention(model, ModelShape.ParentOf(path)) && !IsAtRoot(model, ModelShape.ParentOf(path)))
            || IsEndOfSequence(model, path, first: false);
    }

    /// <summary>Whether a layer lies in a feed-forward network, or beside an attention, as the two linear layers of PyTorch's own block.</summary>
    private static bool IsWithin(ModelShape model, string path)
    {
        var parent = ModelShape.ParentOf(path);
        return model.IsFeedForward(parent) || (Words.Plain(ModelShape.NameOf(path)) is "linear1" or "linear2" or "dense1" or "dense2" && model.HoldsAttention(parent));
    }

    /// <summary>Where no name tells, the first and the last linear layer of a network are what they are by their order.</summary>
    private static bool IsEndOfSequence(ModelShape model, string path, bool first)
    {
        if (NetworkOf(model, path) is not { } network)
            return false;
        var layers = model.AllBelow(network).Where(below => model.KindOf(below) is CandidateKind.Linear or CandidateKind.Convolution or CandidateKind.Any && IsLayer(model, below)).ToList();
        if (layers.Any(layer => FeedForwardNames.IsFirst(ModelShape.NameOf(layer), true) || FeedForwardNames.IsLast(ModelShape.NameOf(layer), true)))
            return false;
        // Of what a sequence holds, the compiler knows no order.
        if (ModelShape.NameOf(path) == "*" || model.KindOf(path) == CandidateKind.Any)
            return true;
        return layers.Count > 1 && path == layers[first ? 0 : layers.Count - 1];
    }

    private static string? NetworkOf(ModelShape model, string path)
    {
        for (var parent = ModelShape.ParentOf(path); parent.Length > 0; parent = ModelShape.ParentOf(parent))
            if (!ModelShape.IsIndex(ModelShape.NameOf(parent)) && model.IsFeedForward(parent))
                return parent;
        return null;
    }

    /// <summary>A feed-forward network, or the class that ends one by a layer of its own, as BERT's <c>output</c>.</summary>
    public static bool IsFeedForward(ModelShape model, string path) =>
        model.KindOf(path) is not (CandidateKind.Norm or CandidateKind.Dropout or CandidateKind.Embedding) && (model.IsFeedForward(path)
        || (ModelShape.NameOf(path) == "output" && model.KindOf(path) is CandidateKind.Module or CandidateKind.Any && !EndsAttention(model, path) && !IsAtRoot(model, path)));

    /// <summary>An attention to the tokens themselves.</summary>
    public static bool IsSelfAttention(ModelShape model, string path) => IsSubLayerOfAttention(model, path) && !IsCross(path);

    /// <summary>An attention to another sequence.</summary>
    public static bool IsCrossAttention(ModelShape model, string path) => IsSubLayerOfAttention(model, path) && IsCross(path);

    private static bool IsSubLayerOfAttention(ModelShape model, string path) =>
        model.KindOf(path) is not (CandidateKind.Linear or CandidateKind.Norm or CandidateKind.Dropout or CandidateKind.Embedding) && !ModelShape.IsIndex(ModelShape.NameOf(path)) && (model.IsAttention(path) || EndsAttention(model, path));

    /// <summary>Whether the attention at a path, or its end, reads another sequence.</summary>
    public static bool IsCross(string path) => AttentionNames.IsCross(ModelShape.NameOf(path)) || AttentionNames.IsCross(ModelShape.NameOf(ModelShape.ParentOf(path)));

    /// <summary>The embedding of the tokens.</summary>
    public static bool IsTokenEmbedding(ModelShape model, string path)
    {
        if (model.KindOf(path) is not (CandidateKind.Embedding or CandidateKind.Any or CandidateKind.OtherLayer))
            return false;
        var name = ModelShape.NameOf(ModelShape.WithoutIndex(path));
        if (model.KindOf(path) != CandidateKind.Embedding || EmbeddingNames.IsOfTokens(name))
            return EmbeddingNames.IsOfTokens(name) && !EmbeddingNames.IsOfOthers(ModelShape.NameOf(ModelShape.ParentOf(path)));
        // A name that says nothing: it is the one unless there are others.
        return !EmbeddingNames.IsOfOthers(name) && !EmbeddingNames.IsOfOthers(ModelShape.NameOf(ModelShape.ParentOf(path)))
            && !model.Modules.Any(other => other != path && model.KindOf(other) == CandidateKind.Embedding && EmbeddingNames.IsOfTokens(ModelShape.NameOf(other)));
    }

    /// <summary>What puts out the embeddings: the dropout behind them, beside the embedding of the tokens or before the blocks, or that embedding.</summary>
    public static bool EndsEmbeddings(ModelShape model, string path)
    {
        var parent = ModelShape.ParentOf(path);
        if (parent.Split('.').Any(segment => segment == "decoder") || model.IsFeedForward(parent) || model.IsAttention(parent))
            return false;
        var name = Words.Plain(ModelShape.NameOf(path));
        if (IsEmbeddingDropout(model, path, name))
            return model.Below(parent).Any(sibling => IsTokenEmbedding(model, sibling) || model.Below(sibling).Any(element => IsBlock(model, element)));
        return name != "shared" && IsTokenEmbedding(model, path) && !model.Below(parent).Any(sibling => IsEmbeddingDropout(model, sibling, Words.Plain(ModelShape.NameOf(sibling))));
    }

    private static bool IsEmbeddingDropout(ModelShape model, string path, string name) =>
        model.KindOf(path) is CandidateKind.Dropout or CandidateKind.Any && (name == "drop" || (name.Contains("drop") && name.Contains("emb")));

    /// <summary>A block: an element of the outermost list that is called so, or whose elements hold an attention.</summary>
    public static bool IsBlock(ModelShape model, string path)
    {
        var segments = path.Split('.');
        if (segments.Length < 2 || !ModelShape.IsIndex(segments[segments.Length - 1]) || segments.Take(segments.Length - 1).Any(ModelShape.IsIndex))
            return false;
        return Words.Of(segments[segments.Length - 2]) is [.., "layer" or "layers" or "block" or "blocks" or "h"] || (!model.ShowsAttention(path) && model.AllBelow(path).Any(model.IsAttention));
    }

    /// <summary>A norm: by its type, or a class of the user's own that is called so and multiplies nothing.</summary>
    public static bool IsNorm(ModelShape model, string path) => model.KindOf(path) switch
    {
        CandidateKind.Norm => true,
        CandidateKind.Module or CandidateKind.Any or CandidateKind.OtherLayer => NormNames.IsNorm(ModelShape.NameOf(path))
            && !model.AllBelow(path).Any(below => model.KindOf(below) is CandidateKind.Linear or CandidateKind.Convolution or CandidateKind.Embedding or CandidateKind.Module),
        _ => false,
    };

    /// <summary>An output head.</summary>
    public static bool IsHead(ModelShape model, string path)
    {
        var own = ModelShape.WithoutIndex(path);
        return IsLayer(model, path) && (HeadNames.IsHead(ModelShape.NameOf(own), IsAtRoot(model, own)) || EndsAs(path, "predictions", "decoder"));
    }

    /// <summary>Whether a path stands where a model's own parts do: at the root, or beside its blocks or the embedding of its tokens.</summary>
    private static bool IsAtRoot(ModelShape model, string path)
    {
        var parent = ModelShape.ParentOf(path);
        return (parent.Length == 0 && !model.ShowsAttention(parent) && !model.HoldsAttention(parent)) || model.Below(parent).Any(sibling => sibling != path && (IsTokenEmbedding(model, sibling) || model.Below(sibling).Any(element => IsBlock(model, element))));
    }

    private static bool EndsAs(string path, string holder, string name) => path == $"{holder}.{name}" || path.EndsWith($".{holder}.{name}", StringComparison.Ordinal);

    private static bool IsLayer(ModelShape model, string path) =>
        model.KindOf(path) is not (CandidateKind.Norm or CandidateKind.Dropout or CandidateKind.Embedding or CandidateKind.Module or CandidateKind.Parameter);
}
