using PeftGen.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>
/// A linear layer, <c>y = xWᵀ + b</c>, that takes the place of TorchSharp's <see cref="Linear"/>: the same parameters, start and values, and about half the time
/// for float32 on processors that torch's BLAS was not written for. What it computes differs from <see cref="Linear"/> by rounding alone (some 1e-6 of the largest value).
/// </summary>
/// <remarks>Methods that have linear layers as targets take it as one.</remarks>
public sealed class FastLinear : nn.Module<Tensor, Tensor>, ILinearLayer
{
    /// <summary>A layer with the start that torch gives its linear layers: uniform over ±1/√in.</summary>
    /// <param name="inputs">The size of the input.</param>
    /// <param name="outputs">The size of the output.</param>
    /// <param name="hasBias">Whether there is a bias.</param>
    public FastLinear(long inputs, long outputs, bool hasBias = true) : base(nameof(FastLinear))
    {
        var bound = 1 / Math.Sqrt(inputs);
        register_parameter(nameof(weight), new Parameter(empty(outputs, inputs).uniform_(-bound, bound)));
        if (hasBias)
            register_parameter(nameof(bias), new Parameter(empty(outputs).uniform_(-bound, bound)));
    }

    // Looked up each time: .to() puts other parameters into the module, through these setters.

    /// <summary>The matrix, <c>[out, in]</c>. What is assigned may be another module's: a head that is tied to its embedding.</summary>
    public Parameter weight
    {
        get => _internal_params[nameof(weight)];
        set => ConditionallyRegisterParameter(nameof(weight), value);
    }

    /// <summary>The bias, <c>[out]</c>; null: none.</summary>
    public Parameter? bias
    {
        get => _internal_params.TryGetValue(nameof(bias), out var found) ? found : null;
        set => ConditionallyRegisterParameter(nameof(bias), value);
    }

    Parameter ILinearLayer.Weight => weight;

    Parameter? ILinearLayer.Bias => bias;

    bool ILinearLayer.IsTransposed => false;

    /// <summary>Computes the layer.</summary>
    /// <param name="x"><c>[…, in]</c>.</param>
    /// <returns><c>[…, out]</c>.</returns>
    public override Tensor forward(Tensor x) => Products.Linear(x, weight, bias);
}
