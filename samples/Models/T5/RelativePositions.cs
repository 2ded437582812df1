using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Which bias a distance has: near ones one each, farther ones share theirs, in steps that grow with the distance (https://arxiv.org/abs/1910.10683, section 2.1).</summary>
internal static class RelativePositions
{
    /// <summary>The bucket of each pair of query and key.</summary>
    /// <param name="config">The model's sizes.</param>
    /// <param name="isDecoder">Whether only keys before the query have buckets; otherwise those after it have half of them.</param>
    /// <param name="queries">Where the queries stand among the keys, <c>[queries]</c>.</param>
    /// <param name="keys">How many keys there are, those of the past included.</param>
    /// <returns><c>[queries, keys]</c>.</returns>
    public static Tensor Buckets(T5Config config, bool isDecoder, Tensor queries, long keys)
    {
        using var scope = NewDisposeScope();
        var distance = queries.unsqueeze(1) - arange(keys, ScalarType.Int64, queries.device).unsqueeze(0);
        var count = isDecoder ? config.Buckets : config.Buckets / 2;
        var start = isDecoder ? zeros_like(distance) : distance.lt(0).to(ScalarType.Int64) * count;
        distance = isDecoder ? distance.clamp_min(0) : distance.abs();
        var exact = count / 2;
        var steps = log(distance.to(ScalarType.Float32).clamp_min(1) / exact) / Math.Log((double)config.MaxDistance / exact) * (count - exact);
        var far = (exact + steps.to(ScalarType.Int64)).clamp_max(count - 1);
        return (start + where(distance.lt(exact), distance, far)).MoveToOuterDisposeScope();
    }
}
