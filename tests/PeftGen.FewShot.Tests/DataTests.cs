using PeftGen.FewShot.Data;

namespace PeftGen.FewShot.Tests;

public sealed class DataTests : IDisposable
{
    // Tokens that BERT's own vocabulary has, too; what it makes of the texts was taken from the reference's tokenizer.
    private static readonly string[] Vocabulary =
        ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "cr", "##eme", "br", "##ule", "##e", "isn", "'", "t", "100", "%", "naive", "!", "una", "##ffa", "##ble", "日", "本", "$", "`", "="];

    private readonly string _folder = Directory.CreateTempSubdirectory("few-shot-").FullName;

    [Theory]
    [InlineData("Crème brûlée isn't 100% naïve!", "[CLS] cr ##eme br ##ule ##e isn ' t 100 % naive ! [SEP]")]
    [InlineData("日本 unaffable", "[CLS] 日 本 una ##ffa ##ble [SEP]")]
    [InlineData("`naive' $100=100", "[CLS] ` naive ' $ 100 = 100 [SEP]")]
    [InlineData("what naive", "[CLS] [UNK] naive [SEP]")]
    [InlineData("", "[CLS] [SEP]")]
    public void Texts_become_the_pieces_of_the_reference(string text, string pieces) => Assert.Equal(pieces, Pieces(Open(), text, 128));

    [Fact]
    public void What_is_too_long_is_cut_before_the_separator() => Assert.Equal("[CLS] cr ##eme [SEP]", Pieces(Open(), "crème brûlée", 4));

    [Fact]
    public void Case_and_accents_stay_where_the_folder_says_so() =>
        Assert.Equal("[CLS] [UNK] naive [SEP]", Pieces(Open("""{"do_lower_case": false}"""), "Naive naive", 128));

    [Fact]
    public void A_vocabulary_without_special_tokens_is_an_error()
    {
        File.WriteAllLines(Path.Combine(_folder, "vocab.txt"), ["one", "two"]);
        Assert.Contains("this is no vocabulary of a BERT", Assert.Throws<FewShotException>(() => WordPieces.Open(_folder)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Ambiguous_and_repeated_sentences_are_left_out()
    {
        var path = Path.Combine(_folder, "data.tsv");
        File.WriteAllLines(path, ["0.5\tgood", "-0.49\tso so", "", "-3\tbad", "-2\tGood"]);
        Assert.Equal([("good", true), ("bad", false)], RatedSentence.Read(path).Select(sentence => (sentence.Text, sentence.IsPositive)));
    }

    [Fact]
    public void Training_sets_are_nested_and_apart_from_the_test()
    {
        var split = SentenceSplit.Of([.. Enumerable.Range(0, 200).Select(i => new RatedSentence(i < 100 ? -1 : 1, $"{i}"))], 50, text => [long.Parse(text, null)]);
        var (small, large, other) = (Ids(split.Draw(10, 1)), Ids(split.Draw(150, 1)), Ids(split.Draw(10, 2)));
        Assert.Equal(small, large.Take(10));
        Assert.NotEqual(small, other);
        Assert.Equal(Enumerable.Range(0, 200).Select(i => (long)i), large.Concat(Ids(split.Test)).Order());
        // Files come sorted by label: the test must not be of one class.
        Assert.InRange(split.Majority, 0.5, 0.75);
        Assert.All(split.Test, sentence => Assert.Equal(sentence.Ids[0] < 100 ? 0 : 1, sentence.Label));
    }

    [Fact]
    public void An_epoch_has_every_sentence_once_and_each_has_other_batches()
    {
        LabelledTokens[] sentences = [.. Enumerable.Range(0, 100).Select(i => new LabelledTokens([.. Enumerable.Repeat((long)i, 1 + i % 10)], 0))];
        var random = new Random(1);
        var batches = LabelledTokens.Epoch(sentences, 16, random);
        Assert.Equal(7, batches.Count);
        Assert.Equal(Ids(sentences), Ids(batches.SelectMany(batch => batch)).Order());
        var sets = batches.Select(batch => string.Join(",", Ids(batch).Order())).ToHashSet();
        Assert.DoesNotContain(LabelledTokens.Epoch(sentences, 16, random), batch => sets.Contains(string.Join(",", Ids(batch).Order())));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private WordPieces Open(string? config = null)
    {
        File.WriteAllLines(Path.Combine(_folder, "vocab.txt"), Vocabulary);
        if (config is not null) File.WriteAllText(Path.Combine(_folder, "tokenizer_config.json"), config);
        return WordPieces.Open(_folder);
    }

    private static string Pieces(WordPieces tokens, string text, int atMost) => string.Join(' ', tokens.Encode(text, atMost).Select(id => Vocabulary[id]));

    private static IEnumerable<long> Ids(IEnumerable<LabelledTokens> sentences) => sentences.Select(sentence => sentence.Ids[0]);
}
