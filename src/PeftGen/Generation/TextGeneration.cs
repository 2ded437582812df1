using static TorchSharp.torch;

namespace PeftGen.Generation;

/// <summary>One step of a model that predicts the next token.</summary>
/// <param name="input_ids">The tokens that it has not seen yet, <c>[batch, tokens]</c>: the prompt, then one token each time. All tokens so far with <see cref="GenerationOptions.FeedsAllTokens"/>.</param>
/// <param name="attention_mask">1 at real tokens, 0 at padding, of all tokens so far: <c>[batch, tokens]</c>; null where none was given.</param>
/// <returns>Logits <c>[batch, tokens, vocabulary]</c>, which the caller disposes.</returns>
public delegate Tensor GenerationStep(Tensor input_ids, Tensor? attention_mask);

/// <summary>A new token.</summary>
/// <param name="Row">Its row.</param>
/// <param name="Id">The token.</param>
/// <param name="EndsRow">Whether it is the row's last.</param>
public readonly record struct GeneratedToken(int Row, long Id, bool EndsRow);

/// <summary>Generation with any model that predicts the next token, with or without an adapter.</summary>
/// <example>
/// <code>
/// using var cache = new KeyValueCache();
/// var rows = TextGeneration.Generate((ids, mask) => model.forward(adapter, ids, mask, cache), input_ids, options: new() { EndTokens = [2] });
/// </code>
/// </example>
public static class TextGeneration
{
    /// <summary>Continues each row.</summary>
    /// <param name="step">The model, with a fresh cache of its own.</param>
    /// <param name="input_ids">The prompts, <c>[batch, tokens]</c>; rows of unequal length are padded on the left.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[batch, tokens]</c>; null: all are real.</param>
    /// <param name="options">How tokens are chosen; null: the likeliest, 64 of them.</param>
    /// <param name="cancellation">Ends the generation before its next token.</param>
    /// <returns>For each row its new tokens, the one that ended it included.</returns>
    /// <exception cref="ArgumentException">The options or the prompts make no sense; padding stands on the right.</exception>
    /// <exception cref="InvalidOperationException">The step returns no logits for the prompts' rows, or logits that are no numbers.</exception>
    /// <exception cref="OperationCanceledException">The generation was cancelled.</exception>
    public static long[][] Generate(GenerationStep step, Tensor input_ids, Tensor? attention_mask = null, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        using var rows = new RowsInProgress(step, input_ids, attention_mask, options ?? new());
        while (rows.Next(cancellation).Count > 0) { }
        return [.. rows.NewTokens.Select(row => row.ToArray())];
    }

    /// <summary>Continues each row and gives each token as soon as it is chosen. It runs as far as it is read.</summary>
    /// <inheritdoc cref="Generate" path="/param"/>
    /// <inheritdoc cref="Generate" path="/exception"/>
    /// <returns>The new tokens: those of all rows that go on, in their order, then the next ones.</returns>
    public static IEnumerable<GeneratedToken> Stream(
        GenerationStep step, Tensor input_ids, Tensor? attention_mask = null, GenerationOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new();
        RowsInProgress.Check(input_ids, attention_mask, options);
        return Read();

        IEnumerable<GeneratedToken> Read()
        {
            using var rows = new RowsInProgress(step, input_ids, attention_mask, options);
            while (rows.Next(cancellation) is { Count: > 0 } tokens)
                foreach (var token in tokens)
                    yield return token;
        }
    }
}
