using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Random starts of projections.</summary>
internal static class Start
{
    /// <summary>A down projection, <c>[rank, in]</c>.</summary>
    public static Tensor Matrix(Site site, long rank, long inputs, LoRAInit init)
    {
        // Drawn on the CPU: a seed gives the same start on every device.
        site.Reserve(rank, inputs);
        var start = empty(rank, inputs, dtype: site.Dtype);
        var bound = 1 / Math.Sqrt(inputs);
        _ = init == LoRAInit.Gaussian ? start.normal_(0, 1.0 / rank, site.Generator) : start.uniform_(-bound, bound, site.Generator);
        return start.to(site.Device);
    }

    /// <summary>A matrix or vector of values that are uniform between −bound and bound.</summary>
    public static Tensor Uniform(Site site, double bound, params long[] shape)
    {
        site.Reserve(shape);
        return empty(shape, dtype: site.Dtype).uniform_(-bound, bound, site.Generator).to(site.Device);
    }

    /// <summary>A matrix or vector of normal values.</summary>
    public static Tensor Normal(Site site, double std, params long[] shape)
    {
        site.Reserve(shape);
        return empty(shape, dtype: site.Dtype).normal_(0, std, site.Generator).to(site.Device);
    }
}
