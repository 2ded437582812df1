using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Generation;

/// <summary>Chooses the next token of each row from its logits: penalty, temperature, top-k, top-p, in the order of Hugging Face, then a draw.</summary>
internal sealed class TokenChoice(GenerationOptions options, int rows) : IDisposable
{
    // One stream for each row, drawn on the CPU, so that a seed gives the same tokens on every device.
    private readonly Generator[] _streams = options.Temperature == 0 ? [] : [.. Enumerable.Range(0, rows).Select(row => new Generator(Mixed(options.Seed, row)))];
    private Tensor? _prompt;
    private Tensor? _real;
    private Tensor? _seen;

    /// <summary>Takes note of the prompts.</summary>
    public void Prompt(Tensor input_ids, Tensor? attention_mask)
    {
        if (options.RepetitionPenalty == 1)
            return;
        _prompt = input_ids.alias().DetachFromDisposeScope();
        _real = (attention_mask is null ? ones_like(input_ids, ScalarType.Float32) : attention_mask.ne(0).to(ScalarType.Float32)).DetachFromDisposeScope();
    }

    /// <summary>The next token of each row; −1 where its logits are no numbers.</summary>
    /// <param name="logits"><c>[batch, vocabulary]</c>.</param>
    public long[] Next(Tensor logits)
    {
        var scores = Penalized(logits.to(ScalarType.Float32));
        var chosen = options.Temperature == 0 ? scores.argmax(-1) : Drawn(scores);
        if (_seen is not null)
            _seen.scatter_(1, chosen.unsqueeze(1), ones_like(chosen, ScalarType.Bool).unsqueeze(1));
        // One transfer for both: waiting for a device is what a token costs.
        var isNumber = logits.isnan().any(-1).logical_not();
        return where(isNumber, chosen, full_like(chosen, -1)).cpu().data<long>().ToArray();
    }

    public void Dispose()
    {
        foreach (var stream in _streams)
            stream.Dispose();
        _prompt?.Dispose();
        _real?.Dispose();
        _seen?.Dispose();
    }

    private Tensor Penalized(Tensor scores)
    {
        if (_prompt is null)
            return scores;
        // The vocabulary's size is known from the first logits on. Padding may be a token that the row has, too: it counts where it is real.
        _seen ??= zeros(scores.shape, ScalarType.Float32, scores.device).scatter_add_(1, _prompt.to(scores.device), _real!.to(scores.device)).gt(0).DetachFromDisposeScope();
        return where(_seen, where(scores.lt(0), scores * options.RepetitionPenalty, scores / options.RepetitionPenalty), scores);
    }

    private Tensor Drawn(Tensor scores)
    {
        var count = Math.Min(options.TopK ?? long.MaxValue, scores.shape[1]);
        var (values, ids) = options.TopK is null ? scores.sort(-1, descending: true) : scores.topk((int)count);
        var likely = nn.functional.softmax(values / options.Temperature, -1);
        var sums = likely.cumsum(-1);
        if (options.TopP < 1)
        {
            // Those before which the sum has not come to p: the first always, and the one that reaches it.
            likely *= (sums - likely).lt(options.TopP);
            sums = likely.cumsum(-1);
        }

        var draws = tensor(_streams.Select(Draw).ToArray(), device: scores.device).unsqueeze(1) * sums.narrow(-1, count - 1, 1);
        var at = sums.le(draws).sum(-1, keepdim: true).clamp_max(count - 1);
        return ids.gather(1, at).squeeze(1);
    }

    private static float Draw(Generator stream)
    {
        using var draw = rand(1, generator: stream);
        return draw.item<float>();
    }

    // Neighbouring seeds are to give unlike streams, and row 1 of one seed not row 0 of the next.
    private static ulong Mixed(ulong seed, int row) => (seed ^ (0x9E3779B97F4A7C15 * (ulong)row)) & long.MaxValue;
}
