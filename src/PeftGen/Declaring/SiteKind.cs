namespace PeftGen;

/// <summary>The kinds of place in a model's forward code that a method can act on.</summary>
public enum SiteKind
{
    /// <summary>The call of a child layer, <c>q_proj.forward(x)</c>.</summary>
    Layer,

    /// <summary>Parameters: each read of a <c>Parameter</c> in a compiled body, or a built-in layer that runs with a trained copy of its own.</summary>
    Parameter,

    /// <summary>The sum of a sub-layer's output and its residual, <c>N(h + r)</c> or <see cref="Residual.Add"/>.</summary>
    Residual,

    /// <summary>Keys and values on their way into attention, <see cref="Attention.Attach"/>.</summary>
    Attention,

    /// <summary>What enters the root: ids, mask, positions, labels.</summary>
    Input,

    /// <summary>What a block or the embeddings return.</summary>
    Output,
}
