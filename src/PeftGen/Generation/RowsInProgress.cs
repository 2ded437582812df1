using static TorchSharp.torch;

namespace PeftGen.Generation;

/// <summary>A generation between two of its steps.</summary>
internal sealed class RowsInProgress : IDisposable
{
    private readonly GenerationStep _step;
    private readonly GenerationOptions _options;
    private readonly TokenChoice _choice;
    private readonly bool[] _ended;

    // What the next step is fed, and the mask of all tokens. They live from step to step, outside the caller's scopes.
    private Tensor _ids;
    private Tensor? _mask;

    public RowsInProgress(GenerationStep step, Tensor input_ids, Tensor? attention_mask, GenerationOptions options)
    {
        Check(input_ids, attention_mask, options);
        (_step, _options) = (step, options);
        _ids = input_ids.alias().DetachFromDisposeScope();
        _mask = attention_mask?.alias().DetachFromDisposeScope();
        NewTokens = [.. Enumerable.Range(0, (int)input_ids.shape[0]).Select(_ => new List<long>())];
        _ended = new bool[NewTokens.Length];
        _choice = new TokenChoice(options, NewTokens.Length);
    }

    public List<long>[] NewTokens { get; }

    public static void Check(Tensor input_ids, Tensor? attention_mask, GenerationOptions options)
    {
        options.Check();
        if (input_ids.dim() != 2 || input_ids.numel() == 0 || input_ids.dtype != ScalarType.Int64)
            throw new ArgumentException($"input_ids is {Text(input_ids)}, expected Int64 [batch, tokens] with at least one token.", nameof(input_ids));
        if (attention_mask is null)
            return;
        if (!attention_mask.shape.SequenceEqual(input_ids.shape))
            throw new ArgumentException($"attention_mask is {Text(attention_mask)}, expected [{string.Join(", ", input_ids.shape)}] as input_ids.", nameof(attention_mask));
        using var last = attention_mask.select(1, -1);
        using var padding = last.eq(0);
        using var any = padding.any();
        if (any.item<bool>())
            throw new ArgumentException("A row ends with padding, and what comes next would follow that. Pad the rows on the left.", nameof(attention_mask));
    }

    /// <summary>The next token of each row that has not ended; none where all have.</summary>
    public IReadOnlyList<GeneratedToken> Next(CancellationToken cancellation)
    {
        if (_ended.All(ended => ended))
            return [];
        cancellation.ThrowIfCancellationRequested();
        // For this step alone: between two steps the caller's own code runs.
        using var quiet = no_grad();
        using var scope = NewDisposeScope();
        if (NewTokens[0].Count == 0 && NewTokens.All(row => row.Count == 0))
            _choice.Prompt(_ids, _mask);
        var logits = _step(_ids, _mask);
        if (logits.dim() != 3 || logits.shape[0] != _ended.Length)
            throw new InvalidOperationException($"the step returned {Text(logits)}, expected logits [{_ended.Length}, tokens, vocabulary].");
        var next = _choice.Next(logits.select(1, -1));
        var tokens = Take(next);
        if (!_ended.All(ended => ended))
            Feed(tokens, _ids.device);
        return tokens;
    }

    public void Dispose()
    {
        _ids.Dispose();
        _mask?.Dispose();
        _choice.Dispose();
    }

    private List<GeneratedToken> Take(long[] next)
    {
        var tokens = new List<GeneratedToken>();
        for (var row = 0; row < next.Length; row++)
        {
            if (_ended[row])
                continue;
            if (next[row] < 0)
                throw new InvalidOperationException($"the logits of row {row} are no numbers at new token {NewTokens[row].Count}. The model or its adapter is broken, or its type is too narrow for its values.");
            NewTokens[row].Add(next[row]);
            _ended[row] = IsLast(row);
            tokens.Add(new GeneratedToken(row, next[row], _ended[row]));
        }

        return tokens;
    }

    private bool IsLast(int row)
    {
        var tokens = NewTokens[row];
        return tokens.Count >= _options.MaxNewTokens || _options.EndTokens.Contains(tokens[^1])
            || _options.StopSequences.Any(stop => tokens.Count >= stop.Count && tokens.Skip(tokens.Count - stop.Count).SequenceEqual(stop))
            || _options.StopWhen?.Invoke(row, tokens) == true;
    }

    private void Feed(List<GeneratedToken> tokens, Device device)
    {
        var fed = Enumerable.Repeat(_options.PadToken, _ended.Length).ToArray();
        foreach (var token in tokens.Where(t => !t.EndsRow))
            fed[token.Row] = token.Id;
        var column = tensor(fed, device: device).unsqueeze(1);
        Replace(ref _ids, _options.FeedsAllTokens ? cat([_ids, column], 1) : column);
        if (_mask is not null)
        {
            var mask = _mask;
            Replace(ref mask, cat([mask, ones([_ended.Length, 1], mask.dtype, mask.device)], 1));
            _mask = mask;
        }
    }

    private static void Replace(ref Tensor old, Tensor with)
    {
        old.Dispose();
        old = with.DetachFromDisposeScope();
    }

    private static string Text(Tensor tensor) => $"{tensor.dtype} [{string.Join(", ", tensor.shape)}]";
}
