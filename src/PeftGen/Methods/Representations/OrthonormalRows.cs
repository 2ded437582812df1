using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>
/// A matrix <c>[rows, dim]</c> with orthonormal rows, made of free numbers: <c>R = −(B·H₁H₂…·E)ᵀ</c> with <c>Hᵢ = 1 − τᵢvᵢvᵢᵀ</c>, <c>vᵢ = eᵢ + </c>what stands behind the i-th place of
/// row i, <c>τᵢ = 2/‖vᵢ‖²</c>, E the first columns of the identity and B an orthogonal base, or none.
/// </summary>
/// <remarks>
/// The minus is that of a diagonal of −1, as PyTorch's <c>orthogonal</c> parametrisation begins with: numbers of −1 on the diagonal and 0 elsewhere are the base's first columns. Here the diagonal has no
/// meaning, since a sign cannot learn.
/// </remarks>
internal static class OrthonormalRows
{
    /// <summary>The matrix.</summary>
    /// <param name="numbers">The free numbers, <c>[rows, dim]</c>; those up to the diagonal do not count.</param>
    /// <param name="basis">The base, <c>[dim, dim]</c>; null: none.</param>
    /// <returns><c>[rows, dim]</c> in at least float32; the caller owns it.</returns>
    public static Tensor Of(Tensor numbers, Tensor? basis)
    {
        using var wide = Wide(numbers);
        using var columns = wide.t();
        using var behind = columns.tril(-1);
        using var squares = behind.square();
        using var sums = squares.sum([0L]);
        using var lengths = sums + 1;
        using var reciprocals = lengths.reciprocal();
        using var tau = reciprocals * 2;
        using var reflected = linalg.householder_product(behind, tau);
        using var turning = basis is null ? null : Wide(basis);
        using var turned = turning?.matmul(reflected);
        using var rows = (turned ?? reflected).t();
        return rows.neg();
    }

    /// <summary>Numbers of a random matrix without a base.</summary>
    /// <param name="directions">Random rows, <c>[rows, dim]</c>, which are orthonormalised.</param>
    /// <returns><c>[rows, dim]</c>; the caller owns it.</returns>
    public static Tensor NumbersOf(Tensor directions)
    {
        using var scope = NewDisposeScope();
        var (factors, _) = geqrf(directions.t().contiguous());
        var numbers = factors.t().contiguous();
        numbers.diagonal().fill_(-1);
        return numbers.MoveToOuterDisposeScope();
    }

    /// <summary>Numbers that begin at the base's first columns.</summary>
    /// <param name="directions">Random rows, <c>[rows, dim]</c>: the base's first columns are these, orthonormalised.</param>
    /// <returns>The numbers, <c>[rows, dim]</c>, and a base <c>[dim, dim]</c>; the caller owns both.</returns>
    public static (Tensor numbers, Tensor basis) WithBase(Tensor directions)
    {
        using var scope = NewDisposeScope();
        var (rows, dim) = (directions.shape[0], directions.shape[1]);
        var (factors, tau) = geqrf(directions.t().contiguous());
        var padded = cat([factors, zeros([dim, dim - rows], directions.dtype, directions.device)], 1);
        var basis = linalg.householder_product(padded, tau).contiguous();
        var numbers = zeros_like(directions);
        numbers.diagonal().fill_(-1);
        return scope.MoveToOuter(numbers, basis);
    }

    private static Tensor Wide(Tensor x) => x.dtype is ScalarType.Float16 or ScalarType.BFloat16 ? x.to(ScalarType.Float32) : x.alias();
}
