using TorchSharp.Modules;

namespace PeftGen;

/// <summary>A linear layer of a user's own, <c>y = Wx + b</c>. The compiler reads it off the layer's body and implements this.</summary>
public interface ILinearLayer
{
    /// <summary>The matrix, <c>[out, in]</c>, or <c>[in, out]</c> where it is transposed.</summary>
    Parameter Weight { get; }

    /// <summary>The bias, <c>[out]</c>; null: none.</summary>
    Parameter? Bias { get; }

    /// <summary>Whether the matrix is <c>[in, out]</c>, as GPT-2's.</summary>
    bool IsTransposed { get; }
}
