using System.Text.Json.Nodes;
using PeftGen.QuickStart.Texts;

namespace PeftGen.QuickStart.Tests;

/// <summary>The tokenizer of SmolLM2, cut down to what the recorded texts need, against ids of the Hugging Face library.</summary>
public sealed class TokenizerTests
{
    private static readonly string Folder = Path.GetDirectoryName(RealModelTests.TokenizerPart("tokenizer.json"))!;

    [Fact]
    public void Texts_become_the_recorded_tokens_and_texts_again()
    {
        var tokenizer = HuggingFaceTokenizer.Open(Folder);
        Assert.All(Recorded(), line =>
        {
            Assert.Equal(line.Ids, tokenizer.Encode(line.Text));
            Assert.Equal(line.Text, tokenizer.Decode(line.Ids));
        });
    }

    [Theory]
    [InlineData("It's    not 12+34", "It·'s·   · not· 12·+·34")]
    [InlineData("a\n\nb  ", "a·\n·\n·b·  ")]
    [InlineData(" 'll we'd", " '·ll· we·'d")]
    [InlineData("x\u00a0y", "x·\u00a0·y")]
    [InlineData("a\U0001D49Cb \U0001F600!", "a\U0001D49Cb· \U0001F600!")]
    [InlineData("a<|end|>b<|en", "a·<|end|>·b·<·|·en")]
    [InlineData("", "")]
    public void Words_are_cut_as_the_pattern_says(string text, string words) => Assert.Equal(words, Cut(text, singleDigits: false));

    [Fact]
    public void Digits_stand_alone_where_the_tokenizer_says_so() => Assert.Equal("in· ·1·9·8·8·,· ok", Cut("in 1988, ok", singleDigits: true));

    private static string Cut(string text, bool singleDigits) => string.Join('·', Words(new ByteLevelPreTokenizer(["<|end|>", "<"], singleDigits), text));

    private static string[] Words(ByteLevelPreTokenizer tokenizer, string text) => [.. tokenizer.PreTokenize(text).Select(word => text.Substring(word.Offset, word.Length))];

    private static IEnumerable<(string Text, long[] Ids)> Recorded() =>
        File.ReadLines(RealModelTests.Recorded("tokens-smollm2-135m.jsonl")).Select(line => JsonNode.Parse(line)!).Select(json => (json["text"]!.GetValue<string>(), json["ids"]!.AsArray().Select(id => (long)id!.GetValue<int>()).ToArray()));
}
