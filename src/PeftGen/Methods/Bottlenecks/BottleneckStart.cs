using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>How the projections of a bottleneck start.</summary>
internal static class BottleneckStart
{
    /// <summary>The start of a weight, <c>[outputs, inputs]</c>.</summary>
    public static Tensor Of(Site site, BottleneckInit init, long outputs, long inputs, bool up) => init switch
    {
        BottleneckInit.MamAdapter when up => site.Zeros(outputs, inputs),
        BottleneckInit.MamAdapter => Start.Matrix(site, outputs, inputs, LoRAInit.Kaiming),
        BottleneckInit.Houlsby => CutOff(site, 0.01, outputs, inputs),
        _ => Start.Normal(site, 0.02, outputs, inputs),
    };

    /// <summary>Normal values of which none lies further out than two standard deviations: the normal distribution's inverse of uniform draws.</summary>
    private static Tensor CutOff(Site site, double std, params long[] shape)
    {
        // Φ(±2), in the uniform scale of the inverse error function.
        const double Edge = 0.9544997361036416;
        site.Reserve(shape);
        using var draws = empty(shape, dtype: site.Dtype).uniform_(-Edge, Edge, site.Generator);
        return draws.erfinv_().mul_(std * Math.Sqrt(2)).clamp_(-2 * std, 2 * std).to(site.Device);
    }
}
