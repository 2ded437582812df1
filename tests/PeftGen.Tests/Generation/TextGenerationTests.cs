using PeftGen.Generation;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace PeftGen.Tests.Generation;

public sealed class TextGenerationTests
{
    private static readonly Tensor s_prompt = tensor(new long[,] { { 1, 2 } });

    [Fact]
    public void Without_a_temperature_the_likeliest_token_is_taken() =>
        Assert.Equal([3, 1, 2, 3], Continue(Then(new() { [2] = [0, 1, 0, 5], [3] = [0, 9, 1, 0], [1] = [0, 0, 4, 0] }), new() { MaxNewTokens = 4 }));

    [Fact]
    public void The_penalty_divides_positive_logits_and_multiplies_negative_ones()
    {
        // Tokens 1 and 2 stand in the prompt: 4 becomes 2, and −1 becomes −2.
        Assert.Equal([3], Continue(Always(-9, 4, -1, 3), new() { MaxNewTokens = 1, RepetitionPenalty = 2 }));
        Assert.Equal([0], Continue(Always(-1.5f, -2, -1, -9), new() { MaxNewTokens = 1, RepetitionPenalty = 2 }));
        Assert.Equal([1], Continue(Always(-9, 4, -1, 3), new() { MaxNewTokens = 1, RepetitionPenalty = 1.1 }));
        // A new token counts from the next one on.
        Assert.Equal([3, 0, 3], Continue(Always(4, 0, 0, 5), new() { MaxNewTokens = 3, RepetitionPenalty = 2 }));
    }

    [Fact]
    public void Padding_is_not_penalized()
    {
        var ids = tensor(new long[,] { { 0, 0, 1 } });
        var mask = tensor(new long[,] { { 0, 0, 1 } });
        Assert.Equal([0], TextGeneration.Generate(Always(4, 0, 3, 0), ids, mask, new() { MaxNewTokens = 1, RepetitionPenalty = 2 })[0]);
        Assert.Equal([2], TextGeneration.Generate(Always(4, 0, 3, 0), ids, null, new() { MaxNewTokens = 1, RepetitionPenalty = 2 })[0]);
    }

    [Fact]
    public void Tokens_are_drawn_as_often_as_their_probabilities_say()
    {
        // At temperature 2 the logits are halves: e^0, e^1, e^2.
        var counts = Counts(Always(0, 2, 4), new() { MaxNewTokens = 4000, Temperature = 2, Seed = 4 });
        var sum = 1 + Math.E + Math.E * Math.E;
        Assert.InRange(counts[0], 0.02 + 1 / sum - 0.04, 1 / sum + 0.02);
        Assert.InRange(counts[1], Math.E / sum - 0.03, Math.E / sum + 0.03);
        Assert.InRange(counts[2], Math.E * Math.E / sum - 0.03, Math.E * Math.E / sum + 0.03);
    }

    [Theory]
    [InlineData(1, new long[] { 2 })]
    [InlineData(2, new long[] { 0, 2 })]
    [InlineData(99, new long[] { 0, 1, 2 })]
    public void TopK_leaves_the_likeliest(int k, long[] left) =>
        Assert.Equal(left, Drawn(Always(1, 0.5f, 1.5f), new() { MaxNewTokens = 400, Temperature = 1, TopK = k }));

    [Theory]
    [InlineData(0.01, new long[] { 2 })]
    [InlineData(0.49, new long[] { 2 })]
    [InlineData(0.51, new long[] { 0, 2 })]
    [InlineData(0.79, new long[] { 0, 2 })]
    [InlineData(0.81, new long[] { 0, 1, 2 })]
    [InlineData(1, new long[] { 0, 1, 2 })]
    public void TopP_leaves_the_fewest_that_come_to_it(double p, long[] left)
    {
        var step = Always(MathF.Log(0.3f), MathF.Log(0.2f), MathF.Log(0.5f));
        Assert.Equal(left, Drawn(step, new() { MaxNewTokens = 400, Temperature = 1, TopP = p }));
    }

    [Fact]
    public void A_seed_gives_the_same_tokens_and_another_one_others()
    {
        GenerationOptions options = new() { MaxNewTokens = 40, Temperature = 1, Seed = 7 };
        var first = Continue(Always(0, 0, 0, 0), options);
        Assert.Equal(first, Continue(Always(0, 0, 0, 0), options));
        Assert.NotEqual(first, Continue(Always(0, 0, 0, 0), options with { Seed = 8 }));
    }

    [Fact]
    public void What_a_row_draws_does_not_depend_on_the_rows_beside_it()
    {
        GenerationOptions options = new() { MaxNewTokens = 30, Temperature = 1, Seed = 7 };
        var both = TextGeneration.Generate(Always(0, 0, 0, 0), tensor(new long[,] { { 1, 2 }, { 1, 2 } }), null, options);
        Assert.Equal(Continue(Always(0, 0, 0, 0), options), both[0]);
        Assert.NotEqual(both[0], both[1]);
    }

    [Fact]
    public void A_row_ends_with_an_end_token_and_the_others_go_on()
    {
        // 3 follows 2, 4 follows 3; 5 follows 6, and again.
        var step = Then(new() { [2] = [0, 0, 0, 1, 0, 0], [3] = [0, 0, 0, 0, 1, 0], [5] = [0, 0, 0, 0, 0, 1], [0] = [0, 1, 0, 0, 0, 0] });
        var rows = TextGeneration.Generate(step, tensor(new long[,] { { 1, 2 }, { 1, 5 } }), null, new() { MaxNewTokens = 5, EndTokens = [4] });
        Assert.Equal([3, 4], rows[0]);
        Assert.Equal([5, 5, 5, 5, 5], rows[1]);
    }

    [Fact]
    public void A_row_ends_after_a_sequence_or_when_its_reader_says_so()
    {
        var step = Then(new() { [2] = [0, 0, 0, 1], [3] = [0, 1, 0, 0], [1] = [0, 0, 1, 0] });
        Assert.Equal([3, 1, 2], Continue(step, new() { MaxNewTokens = 9, StopSequences = [[2, 3, 1], [1, 2]] }));
        Assert.Equal([3, 1, 2, 3, 1], Continue(step, new() { MaxNewTokens = 9, StopSequences = [[2, 3, 1]] }));
        Assert.Equal([3, 1], Continue(step, new() { MaxNewTokens = 9, StopWhen = (row, tokens) => row == 0 && string.Concat(tokens).EndsWith("31", StringComparison.Ordinal) }));
    }

    [Fact]
    public void Streaming_gives_the_same_tokens_as_soon_as_they_are_chosen()
    {
        var calls = 0;
        var step = Then(new() { [2] = [0, 0, 0, 1], [3] = [0, 1, 0, 0], [1] = [0, 0, 1, 0] });
        var read = new List<GeneratedToken>();
        foreach (var token in TextGeneration.Stream((ids, mask) => { calls++; return step(ids, mask); }, s_prompt, null, new() { MaxNewTokens = 3 }))
        {
            read.Add(token);
            Assert.Equal(read.Count, calls);
            Assert.True(is_grad_enabled());
        }

        Assert.Equal([new(0, 3, false), new(0, 1, false), new(0, 2, true)], read);
        Assert.Equal(Continue(step, new() { MaxNewTokens = 3 }), read.Select(t => t.Id));
    }

    [Fact]
    public void Nothing_stays_in_the_callers_scope()
    {
        using var scope = NewDisposeScope();
        GenerationOptions options = new() { MaxNewTokens = 6, Temperature = 1, RepetitionPenalty = 1.2, TopK = 2 };
        var mask = ones_like(s_prompt);
        var before = scope.DisposablesCount;
        Continue(Always(1, 2, 3, 4), options);
        TextGeneration.Generate(Always(1, 2, 3, 4), s_prompt, mask, options);
        _ = TextGeneration.Stream(Always(1, 2, 3, 4), s_prompt, mask, options).First();
        Assert.Equal(before, scope.DisposablesCount);
    }

    [Fact]
    public void A_step_without_a_cache_is_given_all_tokens()
    {
        var lengths = new List<long>();
        TextGeneration.Generate((ids, mask) => { lengths.Add(ids.shape[1]); return Always(1, 2)(ids, mask); }, s_prompt, null, new() { MaxNewTokens = 3, FeedsAllTokens = true });
        Assert.Equal([2, 3, 4], lengths);
        lengths.Clear();
        TextGeneration.Generate((ids, mask) => { lengths.Add(ids.shape[1]); Assert.Equal(2 + lengths.Count - 1, mask!.shape[1]); return Always(1, 2)(ids, mask); }, s_prompt, ones_like(s_prompt), new() { MaxNewTokens = 3 });
        Assert.Equal([2, 1, 1], lengths);
    }

    public static TheoryData<GenerationOptions, string> Senseless => new()
    {
        { new() { MaxNewTokens = 0 }, "MaxNewTokens is 0, expected at least 1" },
        { new() { Temperature = -1 }, "Temperature is -1, expected 0, which takes the likeliest token, or a positive number" },
        { new() { Temperature = 1, TopK = 0 }, "TopK is 0, expected at least 1" },
        { new() { Temperature = 1, TopP = 0 }, "TopP is 0, expected more than 0" },
        { new() { RepetitionPenalty = 0 }, "RepetitionPenalty is 0, expected a positive number" },
        { new() { StopSequences = [[]] }, "StopSequences is an empty sequence" },
        { new() { TopK = 5 }, "TopK is set and Temperature is 0" },
    };

    [Theory]
    [MemberData(nameof(Senseless))]
    public void Options_that_make_no_sense_are_refused_before_anything_runs(GenerationOptions options, string said) =>
        Assert.StartsWith(said, Assert.ThrowsAny<ArgumentException>(() => TextGeneration.Stream(Always(1), s_prompt, null, options)).Message, StringComparison.Ordinal);

    [Fact]
    public void Prompts_that_make_no_sense_are_refused()
    {
        var right = tensor(new long[,] { { 1, 0 } });
        Assert.Contains("Pad the rows on the left", Assert.Throws<ArgumentException>(() => TextGeneration.Generate(Always(1), s_prompt, right)).Message, StringComparison.Ordinal);
        Assert.Contains("expected Int64 [batch, tokens]", Assert.Throws<ArgumentException>(() => TextGeneration.Generate(Always(1), s_prompt[0])).Message, StringComparison.Ordinal);
        Assert.Contains("expected [1, 2]", Assert.Throws<ArgumentException>(() => TextGeneration.Generate(Always(1), s_prompt, ones(1, 3))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Logits_that_are_no_numbers_are_no_token()
    {
        var error = Assert.Throws<InvalidOperationException>(() => Continue(Always(1, float.NaN), new()));
        Assert.Contains("the logits of row 0 are no numbers at new token 0", error.Message, StringComparison.Ordinal);
        Assert.Contains("expected logits [1, tokens, vocabulary]", Assert.Throws<InvalidOperationException>(() => Continue((_, _) => zeros(1, 4), new())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_generation_can_be_cancelled()
    {
        using var source = new CancellationTokenSource();
        var read = TextGeneration.Stream(Always(1, 2), s_prompt, cancellation: source.Token).GetEnumerator();
        Assert.True(read.MoveNext());
        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => read.MoveNext());
    }

    private static long[] Continue(GenerationStep step, GenerationOptions options) => TextGeneration.Generate(step, s_prompt, null, options)[0];

    private static long[] Drawn(GenerationStep step, GenerationOptions options) => [.. Continue(step, options).Distinct().Order()];

    private static double[] Counts(GenerationStep step, GenerationOptions options)
    {
        var tokens = Continue(step, options);
        return [.. Enumerable.Range(0, 3).Select(id => tokens.Count(t => t == id) / (double)tokens.Length)];
    }

    private static GenerationStep Always(params float[] logits) => (ids, _) => tensor(logits).expand(ids.shape[0], ids.shape[1], logits.Length);

    // Logits by the token before.
    private static GenerationStep Then(Dictionary<long, float[]> after) => (ids, _) =>
    {
        var rows = Enumerable.Range(0, (int)ids.shape[0]).Select(row => tensor(after[ids[row, -1].item<long>()]).unsqueeze(0));
        return stack(rows);
    };
}
