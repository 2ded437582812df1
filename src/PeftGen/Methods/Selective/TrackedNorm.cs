using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>Batch and instance norms, which keep statistics of what they saw in training, with parameters and statistics from elsewhere.</summary>
internal static class TrackedNorm
{
    private const string Mean = "running_mean", Variance = "running_var", Count = "num_batches_tracked";

    /// <summary>What a norm keeps, as it is registered and as files have it.</summary>
    public static IReadOnlyList<string> Statistics { get; } = [Mean, Variance, Count];

    /// <summary>Whether a module is such a norm.</summary>
    public static bool Is(nn.Module module) => module is BatchNorm or InstanceNorm;

    /// <summary>Runs the norm.</summary>
    /// <param name="host">The norm of the base, for how it is made.</param>
    /// <param name="x">The input, <c>[batch, channels, …]</c>.</param>
    /// <param name="weight">The weight.</param>
    /// <param name="bias">The bias.</param>
    /// <param name="statistic">The statistics by name; those of training are written to. Null: the norm keeps none.</param>
    /// <param name="trains">Whether the norm is in training.</param>
    /// <returns>A tensor that the caller owns.</returns>
    public static Tensor forward(NormBase host, Tensor x, Tensor? weight, Tensor? bias, Func<string, Tensor?> statistic, bool trains)
    {
        var (mean, variance) = (statistic(Mean), statistic(Variance));
        if (host is InstanceNorm)
        {
            // One example without a batch has a dimension less.
            var spatial = host is InstanceNorm1d ? 1 : host is InstanceNorm2d ? 2 : 3;
            using var batch = x.dim() == spatial + 1 ? x.unsqueeze(0) : x.alias();
            using var normed = instance_norm(batch, mean, variance, weight, bias, trains || !host.track_running_stats, host.momentum ?? 0.1, host.eps);
            return x.dim() == batch.dim() ? normed.alias() : normed.squeeze(0);
        }

        var factor = host.momentum ?? 0;
        if (trains && statistic(Count) is { } count)
        {
            using var quiet = no_grad();
            count.add_(1);
            using var batches = count.to(ScalarType.Float64);
            // Without a momentum the statistics are the mean of all batches.
            factor = factor == 0 ? 1 / batches.item<double>() : factor;
        }

        return batch_norm(x, mean, variance, weight, bias, trains || mean is null, factor, host.eps);
    }
}
