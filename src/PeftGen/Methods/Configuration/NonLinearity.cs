using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>Non-linearities under the names that configurations have for them: those of Hugging Face's models, and AdapterHub's <c>leakyrelu</c>.</summary>
internal static class NonLinearity
{
    /// <summary>All names, for the compiler.</summary>
    public const string Names =
        "relu,relu2,relu6,leakyrelu,leaky_relu,gelu,gelu_python,gelu_10,gelu_new,gelu_fast,gelu_accurate,gelu_pytorch_tanh,gelu_python_tanh,quick_gelu,swish,silu,mish,tanh,sigmoid,laplace,linear";

    private static readonly Dictionary<string, Func<Tensor, Tensor>> ByName = new(StringComparer.OrdinalIgnoreCase)
    {
        ["relu"] = static x => relu(x),
        ["relu2"] = static x => Squared(x),
        ["relu6"] = static x => relu6(x),
        ["leakyrelu"] = static x => leaky_relu(x, 0.01),
        ["leaky_relu"] = static x => leaky_relu(x, 0.01),
        ["gelu"] = static x => gelu(x),
        ["gelu_python"] = static x => gelu(x),
        ["gelu_10"] = static x => Clipped(x),
        ["gelu_new"] = static x => TanhGelu(x),
        ["gelu_fast"] = static x => TanhGelu(x),
        ["gelu_accurate"] = static x => TanhGelu(x),
        ["gelu_pytorch_tanh"] = static x => TanhGelu(x),
        ["gelu_python_tanh"] = static x => TanhGelu(x),
        ["quick_gelu"] = static x => QuickGelu(x),
        ["swish"] = static x => silu(x),
        ["silu"] = static x => silu(x),
        ["mish"] = static x => Mish(x),
        ["tanh"] = static x => x.tanh(),
        ["sigmoid"] = static x => x.sigmoid(),
        ["laplace"] = static x => Laplace(x),
        ["linear"] = static x => x.alias(),
    };

    /// <summary>The non-linearity of a name; what it returns is its caller's.</summary>
    /// <param name="name">The name, in any case.</param>
    /// <param name="path">The path of the site, for the message.</param>
    /// <exception cref="AdapterException">There is none of that name.</exception>
    public static Func<Tensor, Tensor> Of(string name, string path) => ByName.GetValueOrDefault(name) ?? throw new AdapterException(
        $"{path}: the non-linearity is '{name}', expected one of {string.Join(", ", ByName.Keys)}.");

    private static Tensor Squared(Tensor x)
    {
        using var positive = relu(x);
        return positive.square();
    }

    private static Tensor Clipped(Tensor x)
    {
        using var open = gelu(x);
        return open.clamp(-10, 10);
    }

    /// <summary><c>x/2 · (1 + tanh(√(2/π)·(x + 0.044715·x³)))</c></summary>
    private static Tensor TanhGelu(Tensor x)
    {
        using var cube = x.pow(3);
        using var inner = x.add(cube, 0.044715);
        using var scaled = inner * Math.Sqrt(2 / Math.PI);
        using var tanh = scaled.tanh();
        using var open = tanh + 1;
        using var half = x * 0.5;
        return half * open;
    }

    /// <summary><c>x · σ(1.702·x)</c></summary>
    private static Tensor QuickGelu(Tensor x)
    {
        using var scaled = x * 1.702;
        using var open = scaled.sigmoid();
        return x * open;
    }

    /// <summary><c>x · tanh(ln(1 + eˣ))</c></summary>
    private static Tensor Mish(Tensor x)
    {
        using var soft = softplus(x);
        using var open = soft.tanh();
        return x * open;
    }

    /// <summary>The distribution function of the normal distribution that comes nearest to squared ReLU: mean √½, standard deviation √(1/4π).</summary>
    private static Tensor Laplace(Tensor x)
    {
        using var centred = x - 0.707107;
        using var scaled = centred / (0.282095 * Math.Sqrt(2));
        using var erf = scaled.erf();
        using var open = erf + 1;
        return open * 0.5;
    }
}
