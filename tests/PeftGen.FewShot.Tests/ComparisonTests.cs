using System.Text.Json;
using PeftGen.FewShot.Experiments;

namespace PeftGen.FewShot.Tests;

/// <summary>The whole program on a tiny BERT. Dropout draws from torch's own generator, so no two runs may be at once: all tests that train stand in this class.</summary>
public sealed class ComparisonTests : IDisposable
{
    private const int Hidden = TinyFolder.Hidden, Layers = TinyFolder.Layers, Inner = TinyFolder.Inner, Head = 2 * Hidden + 2;
    private readonly TinyFolder _folder = new();

    [Fact]
    public async Task Every_method_trains_what_it_should_and_stands_in_table_and_picture()
    {
        Assert.Equal(0, await _folder.Run("--k", "6", "--seeds", "1", "2", "--test-sentences", "10"));
        var results = Results();
        Assert.Equal(2 * FineTuningMethod.All.Count, results.Count);
        Assert.All(results, result => Assert.Equal(20, result.Steps));
        Assert.All(results, result => Assert.Equal(Trained(result.Method), result.Trained));
        // As many tenths are right as sentences were asked for.
        Assert.All(results, result => Assert.Equal(Math.Round(10 * result.Accuracy), 10 * result.Accuracy, 1e-9));

        var table = File.ReadAllLines(_folder.Out("table.md"));
        Assert.Equal("| method | trained | K = 6 | s a step | processor s |", table[0]);
        Assert.Equal(FineTuningMethod.All.Select(method => method.Title), table.Skip(2).Select(row => row.Split('|')[1].Trim()));
        Assert.All(FineTuningMethod.All, method => Assert.Contains(method.Title, _folder.Shown, StringComparison.Ordinal));
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], File.ReadAllBytes(_folder.Out("accuracy.png"))[..4]);
    }

    [Fact]
    public async Task A_stopped_comparison_goes_on_and_ends_as_one_that_was_not()
    {
        Assert.Equal(0, await _folder.Run("--methods", "lora", "--k", "6", "--seeds", "1", "--test-sentences", "10"));
        var first = File.ReadAllText(_folder.Out("results.jsonl"));
        Assert.Equal(0, await _folder.Run("--methods", "lora", "ia3", "--k", "6", "--seeds", "1", "2", "--test-sentences", "10"));
        Assert.Contains("3 to do, 1 in", _folder.Shown, StringComparison.Ordinal);
        Assert.StartsWith(first, File.ReadAllText(_folder.Out("results.jsonl")), StringComparison.Ordinal);

        Assert.Equal(0, await _folder.RunInto("whole", "--methods", "lora", "ia3", "--k", "6", "--seeds", "1", "2", "--test-sentences", "10"));
        var whole = Results("whole").ToDictionary(result => result.Key());
        Assert.Equal(4, whole.Count);
        Assert.All(Results(), result => Assert.Equal((result.Accuracy, result.Loss), (whole[result.Key()].Accuracy, whole[result.Key()].Loss)));
        Assert.Equal(4, whole.Values.Select(result => result.Loss).Distinct().Count());
    }

    [Fact]
    public async Task What_one_word_says_is_learned()
    {
        // The base itself would need more steps at its learning rate, which is for one that was trained.
        Assert.Equal(0, await _folder.Run(["--k", "100", "--seeds", "1", "--test-sentences", "100", "--methods", .. FineTuningMethod.All.Where(method => !method.TrainsBase).Select(method => method.Name)]));
        Assert.All(Results(), result => Assert.True(result.Accuracy >= 0.9, $"{result}"));
    }

    [Fact]
    public async Task Another_file_can_be_the_test()
    {
        var test = _folder.Write("test.tsv", "3\tthis book is good", "-3\tso bad", "0.2\tthe end");
        Assert.Equal(0, await _folder.Run("--methods", "head", "--k", "4", "--seeds", "1", "--test-data", test));
        Assert.Contains("287 to draw from, 2 others to test on, of which the larger class has 50.0 %", _folder.Shown, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Results_of_another_test_are_not_mixed_in()
    {
        Assert.Equal(0, await _folder.Run("--methods", "head", "--k", "4", "--seeds", "1", "--test-sentences", "10"));
        Assert.Equal(1, await _folder.Run("--methods", "head", "--k", "4", "--seeds", "1", "--test-sentences", "11"));
        Assert.Contains("results.jsonl, line 1: this result is of another model, data or test", _folder.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("good film", "data.tsv, line 2: there is no tab")]
    [InlineData("good\tfilm", "data.tsv, line 2: the rating is \"good\", expected a number")]
    [InlineData("1\t ", "data.tsv, line 2: there is no sentence after the rating")]
    [InlineData("0.4\tthis is so", "There are 1 different sentences rated 0.5 or more, expected more than the 1000")]
    public async Task A_wrong_line_is_named(string line, string message)
    {
        _folder.Write("data.tsv", "1\tgood film", line);
        await Fails(message);
    }

    [Fact]
    public async Task More_sentences_than_there_are() => await Fails("--k is 300, but 278 sentences are left", "--k", "300", "--test-sentences", "10", "--methods", "head");

    [Fact]
    public async Task A_tokenizer_of_another_model()
    {
        File.AppendAllText(Path.Combine(_folder.Model, "vocab.txt"), "more\n");
        await Fails("the tokenizer has 22 tokens, the model has 21");
    }

    [Fact]
    public async Task No_tokenizer()
    {
        File.Delete(Path.Combine(_folder.Model, "vocab.txt"));
        await Fails("vocab.txt: there is no such file");
    }

    [Theory]
    [InlineData("--k is 0", "--k", "5", "0")]
    [InlineData("--test-sentences is 0", "--test-sentences", "0")]
    [InlineData("'dora'", "--methods", "dora")]
    public async Task Options_out_of_range(string message, params string[] args) => await Fails(message, args);

    public void Dispose() => _folder.Dispose();

    private async Task Fails(string message, params string[] args)
    {
        Assert.Equal(1, await _folder.Run(args));
        Assert.Contains(message, _folder.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", _folder.Errors, StringComparison.Ordinal);
    }

    private List<RunResult> Results(string folder = "out") =>
        [.. File.ReadLines(_folder.Out("results.jsonl", folder)).Select(line => JsonSerializer.Deserialize<RunResult>(line)!)];

    /// <summary>How many numbers train, from the sizes and the methods' papers.</summary>
    private static long Trained(string method)
    {
        var lora = Layers * 2 * 8 * 2 * Hidden;
        return Head + method switch
        {
            // Embeddings of 21 words, 32 positions, 2 segments and their norm; of a layer attention's four matrices, two more and two norms; the pooler.
            "full" => (21 + 32 + 2 + 2) * Hidden + Layers * (4 * Linear(Hidden, Hidden) + Linear(Hidden, Inner) + Linear(Inner, Hidden) + 4 * Hidden) + Linear(Hidden, Hidden),
            "head" => 0,
            "lora" => lora,
            "ia3" => Layers * (2 * Hidden + Inner),
            "pfeiffer" => Layers * (Linear(Hidden, Hidden / 8) + Linear(Hidden / 8, Hidden)),
            "parallel" => Layers * (Linear(Hidden, Hidden / 2) + Linear(Hidden / 2, Hidden)),
            "prefix" => Prefix(256),
            // Each of a layer's gates, beside the prefix, the adapter, q and v, reads the hidden state.
            "unipelt" => Prefix(512) + Layers * (Linear(Hidden, Hidden / 16) + Linear(Hidden / 16, Hidden)) + lora + Layers * 4 * Linear(Hidden, 1),
            _ => throw new ArgumentException($"How many numbers '{method}' trains is not written here.", nameof(method)),
        };

        static long Linear(long inputs, long outputs) => (inputs + 1) * outputs;

        static long Prefix(long middle) => 10 * Hidden + Linear(Hidden, middle) + Linear(middle, Layers * 2 * Hidden);
    }
}
