using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>A linear layer of the base, TorchSharp's or a user's own, as methods see it.</summary>
/// <param name="Weight">The matrix as the layer keeps it.</param>
/// <param name="Bias">The bias; null: none.</param>
/// <param name="IsTransposed">Whether the matrix is <c>[in, out]</c>.</param>
internal readonly record struct HostLinear(Parameter Weight, Parameter? Bias, bool IsTransposed)
{
    /// <summary>The size of the layer's input.</summary>
    public long Inputs => Weight.shape[IsTransposed ? 0 : 1];

    /// <summary>The size of the layer's output.</summary>
    public long Outputs => Weight.shape[IsTransposed ? 1 : 0];

    /// <summary>Whether a module is a linear layer.</summary>
    public static bool Is(nn.Module module) => module is Linear or ILinearLayer;

    /// <summary>The layer; throws where it is none.</summary>
    /// <param name="module">The module.</param>
    /// <param name="path">Its path, for the message.</param>
    /// <param name="method">Who needs it.</param>
    public static HostLinear Of(nn.Module module, string path, string method) => module switch
    {
        Linear linear => new(linear.weight, linear.bias, false),
        ILinearLayer own => new(own.Weight, own.Bias, own.IsTransposed),
        _ => throw new AdapterException($"{path}: {method} needs a linear layer, and this is a {module.GetType().Name}. Leave it out of the targets."),
    };

    /// <summary>A matrix <c>[out, in]</c> as the layer keeps it, or one that is kept so as <c>[out, in]</c>.</summary>
    public Tensor Oriented(Tensor matrix) => IsTransposed ? matrix.t() : matrix.alias();
}
