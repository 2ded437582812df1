using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A change of states that can be undone. Slots of an adapter that are such a change implement it.</summary>
public interface IInvertible
{
    /// <summary>The change.</summary>
    /// <param name="x"><c>[…, dim]</c>.</param>
    /// <returns>As the input; the caller owns it.</returns>
    Tensor forward(Tensor x);

    /// <summary>What undoes it.</summary>
    /// <param name="y"><c>[…, dim]</c>.</param>
    /// <returns>As the input; the caller owns it.</returns>
    Tensor inverse(Tensor y);
}
