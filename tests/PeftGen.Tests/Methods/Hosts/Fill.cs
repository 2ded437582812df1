using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods.Hosts;

/// <summary>Gives parameters values that are neither zero nor one, so that no term of a formula can go missing unseen.</summary>
public static class Fill
{
    public static void Normal(nn.Module module, ulong seed, double std = 1)
    {
        using var generator = new Generator(seed);
        using var quiet = no_grad();
        foreach (var parameter in module.parameters())
        {
            using var values = randn(parameter.shape, dtype: ScalarType.Float64, generator: generator);
            parameter.copy_(values * std);
        }
    }

    /// <summary>Normal values, the same for the same seed.</summary>
    public static Tensor Values(ulong seed, params long[] shape)
    {
        using var generator = new Generator(seed);
        return randn(shape, generator: generator);
    }
}
