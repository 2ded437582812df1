using System.Collections.Concurrent;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Finds ids among some tokens by bisection: neither a table as long as the vocabulary nor one column for each token.</summary>
/// <param name="tokens">The ids, each once, in any order.</param>
internal sealed class TokenLookup(int[] tokens) : IDisposable
{
    private readonly ConcurrentDictionary<string, (Tensor tokens, Tensor sorted, Tensor places)> _onDevices = [];

    /// <summary>The ids in their given order; the lookup owns the tensor.</summary>
    public Tensor Tokens(Device device) => On(device).tokens;

    /// <summary>Looks ids up.</summary>
    /// <param name="ids">Ids of any shape.</param>
    /// <returns>
    /// Flat, for each id: whether it is one of the tokens, and its place among them as they were given; some place where it is none.
    /// The caller owns both.
    /// </returns>
    public (Tensor found, Tensor places) Find(Tensor ids)
    {
        var (_, sorted, places) = On(ids.device);
        using var flat = ids.reshape(-1);
        using var wide = flat.to(ScalarType.Int64);
        using var next = searchsorted(sorted, wide);
        using var last = next.clamp_(max: tokens.Length - 1);
        using var nearest = sorted.index_select(0, last);
        return (nearest.eq(wide), places.index_select(0, last));
    }

    public void Dispose()
    {
        foreach (var (given, sorted, places) in _onDevices.Values)
        {
            given.Dispose();
            sorted.Dispose();
            places.Dispose();
        }
    }

    private (Tensor tokens, Tensor sorted, Tensor places) On(Device device) => _onDevices.GetOrAdd(device.ToString(), _ =>
    {
        var order = Enumerable.Range(0, tokens.Length).OrderBy(i => tokens[i]).ToArray();
        return (Ids(tokens), Ids([.. order.Select(i => tokens[i])]), Ids(order));

        Tensor Ids(int[] values) => tensor(values.Select(v => (long)v).ToArray(), ScalarType.Int64, device).DetachFromDisposeScope();
    });
}
