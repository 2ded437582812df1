namespace PeftGen;

/// <summary>What a candidate is by its type, beside its name.</summary>
internal enum CandidateKind
{
    /// <summary>Not known: what stands there may be of any type.</summary>
    Any,

    /// <summary>A linear layer.</summary>
    Linear,

    /// <summary>A convolution.</summary>
    Convolution,

    /// <summary>A table of vectors by id.</summary>
    Embedding,

    /// <summary>A layer norm.</summary>
    Norm,

    /// <summary>Dropout.</summary>
    Dropout,

    /// <summary>Another layer.</summary>
    OtherLayer,

    /// <summary>A module of a class of the user's own, or one that holds others.</summary>
    Module,

    /// <summary>A parameter.</summary>
    Parameter,
}

/// <summary>Tells the kind of a layer of TorchSharp's, which both the compiler and the library know by its name.</summary>
internal static class LayerKinds
{
    /// <summary>The kind of a built-in layer.</summary>
    /// <param name="type">The names of its type and of those that it derives from.</param>
    public static CandidateKind Of(IEnumerable<string> type)
    {
        foreach (var name in type)
            switch (name)
            {
                case "Linear" or "FastLinear":
                    return CandidateKind.Linear;
                case "Conv1d" or "Conv2d" or "Conv3d" or "Convolution":
                    return CandidateKind.Convolution;
                case "Embedding" or "EmbeddingBag":
                    return CandidateKind.Embedding;
                case "LayerNorm" or "RMSNorm":
                    return CandidateKind.Norm;
                case "Dropout" or "Dropout1d" or "Dropout2d" or "Dropout3d" or "AlphaDropout" or "FeatureAlphaDropout":
                    return CandidateKind.Dropout;
                case "Sequential" or "ModuleList`1" or "ModuleDict`1" or "ModuleList" or "ModuleDict":
                    return CandidateKind.Module;
            }

        return CandidateKind.OtherLayer;
    }
}
