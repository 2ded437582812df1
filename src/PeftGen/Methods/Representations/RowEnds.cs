using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Finds the first and last tokens of each row of a batch.</summary>
internal sealed class RowEnds
{
    private readonly string _path;
    private readonly int _first, _last;
    private readonly bool _hasMask, _hasPast;

    /// <param name="site">The block whose tokens are meant.</param>
    /// <param name="first">How many at the beginning.</param>
    /// <param name="last">How many at the end.</param>
    public RowEnds(Site site, int first, int last)
    {
        (_path, _first, _last) = (site.Path, first, last);
        var segments = site.Path.Split('.');
        // The mask is the encoder's where there is one, and a text's where there are images; a cache is the decoder's.
        bool Beside(string stack, string other) => Array.IndexOf(segments, stack) is >= 0 and var at && site.HasModule(string.Join('.', [.. segments[..at], other]));
        _hasMask = !Beside("decoder", "encoder") && !segments.Any(s => s.StartsWith("vision", StringComparison.Ordinal));
        _hasPast = !Beside("encoder", "decoder");
    }

    /// <summary>How many of the places that <see cref="Find"/> gives are at the beginning.</summary>
    public long FirstOf(Tensor states) => Math.Min(_first, states.shape[1]);

    /// <summary>The places.</summary>
    /// <param name="context">The context, which keeps them for the other blocks.</param>
    /// <param name="states"><c>[batch, tokens, dim]</c>.</param>
    /// <returns>
    /// Indices of tokens <c>[batch, places]</c>, first those at the beginning, and for each 1 or 0: whether it counts. Where a row has fewer tokens than places, or both ends meet, some do not.
    /// Both are the context's.
    /// </returns>
    public (Tensor places, Tensor counts) Find(ForwardContext context, Tensor states)
    {
        var (batch, tokens) = (states.shape[0], states.shape[1]);
        var mask = _hasMask ? context[InputRole.AttentionMask] : null;
        var past = _hasPast ? context.PastTokens : 0;
        if (mask is not null && !mask.shape.SequenceEqual([batch, past + tokens]))
            throw new AdapterException(
                $"{_path}: the attention mask is [{string.Join(", ", mask.shape)}], expected [{batch}, {past + tokens}], 1 at real tokens and 0 at padding, to tell where each row begins and ends.");
        var key = (nameof(RowEnds), mask?.Handle, batch, tokens, past, _first, _last, states.device.ToString());
        var both = context.Share(key, () => Compute(mask, batch, tokens, past, states.device));
        return (context.Share((key, 0), () => both.select(0, 0)), context.Share((key, 1), () => both.select(0, 1)));
    }

    private Tensor Compute(Tensor? mask, long batch, long tokens, long past, Device device)
    {
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        var real = mask is null ? ones([batch, past + tokens], ScalarType.Int64, device) : mask.ne(0).to(ScalarType.Int64).to(device);
        var passed = real.cumsum(1);
        var here = real.ne(0);
        var atBegin = here.logical_and(passed.le(_first)).narrow(1, past, tokens);
        // What was read before was changed then.
        var atEnd = past > 0 ? zeros([batch, tokens], ScalarType.Bool, device) : here.logical_and((passed[TensorIndex.Colon, TensorIndex.Slice(-1)] - passed).lt(_last));
        var positions = arange(tokens, ScalarType.Int64, device);
        var (begin, beginCounts) = Chosen(atBegin, positions, _first);
        var (end, endCounts) = Chosen(atEnd, positions, _last);
        beginCounts = beginCounts.logical_and(atEnd.gather(1, begin).logical_not());
        return stack([cat([begin, end], 1), cat([beginCounts, endCounts], 1).to(ScalarType.Int64)]).MoveToOuterDisposeScope();
    }

    /// <summary>The places of the tokens that are chosen, in order; others fill up the row.</summary>
    private static (Tensor places, Tensor counts) Chosen(Tensor chosen, Tensor positions, int most)
    {
        var tokens = positions.shape[0];
        var order = where(chosen, positions, positions + tokens);
        var (found, _) = order.topk((int)Math.Min(most, tokens), 1, largest: false, sorted: true);
        return (found.remainder(tokens), found.lt(tokens));
    }
}
