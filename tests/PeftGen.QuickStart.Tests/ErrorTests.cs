namespace PeftGen.QuickStart.Tests;

/// <summary>What the program says to a user who gave something wrong: exit code 1, one message, no stack trace.</summary>
public sealed class ErrorTests : IDisposable
{
    private const string Llama = """{"model_type": "llama", "vocab_size": 300, "hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}""";
    private readonly Output _output = new();

    [Theory]
    [InlineData("{\"text\": \"a\"", "line 3: this is no JSON, at character 13")]
    [InlineData("nonsense", "line 3: this is no JSON, at character 2")]
    [InlineData("[1]", "line 3: the line is an array")]
    [InlineData("{\"txt\": \"a\", \"id\": 1}", "line 3: there is no field \"text\" but \"txt\", \"id\"")]
    [InlineData("{}", "line 3: there is no field \"text\" but no field at all")]
    [InlineData("{\"text\": 3}", "line 3: \"text\" is a number")]
    [InlineData("{\"text\": \"\"}", "line 3: \"text\" is empty")]
    public async Task A_wrong_line_is_named_by_its_number(string line, string message)
    {
        var data = _output.Write("data.jsonl", "{\"text\": \"good\"}", "", line);
        await Fails($"{data}, {message}", "--model", Model(Llama), "--data", data);
    }

    [Fact]
    public async Task Too_few_lines()
    {
        var data = _output.Write("data.jsonl", "{\"text\": \"good\"}");
        await Fails($"{data}: 1 line with text, expected at least 8", "--model", Model(Llama), "--data", data);
    }

    [Fact]
    public async Task No_such_data() => await Fails("nowhere.jsonl: there is no such file", "--model", Model(Llama), "--data", "nowhere.jsonl");

    [Fact]
    public async Task No_such_model() => await Fails("nowhere: there is no such folder", "--model", "nowhere", "--data", Data());

    [Fact]
    public async Task A_folder_without_a_model() => await Fails("config.json: there is no such file", "--model", _output.Folder, "--data", Data());

    [Fact]
    public async Task A_model_that_is_no_Llama() => await Fails("model_type is bert, expected llama", "--model", Model("""{"model_type": "bert"}"""), "--data", Data());

    [Fact]
    public async Task A_model_without_a_tokenizer() => await Fails("tokenizer.json: there is no such file", "--model", Model(Llama), "--data", Data());

    [Theory]
    [InlineData("{", "this is no tokenizer")]
    [InlineData("{\"model\": {}}", "the field 'type' is absent")]
    [InlineData("{\"model\": {\"type\": \"WordPiece\"}}", "the model is WordPiece, expected BPE")]
    [InlineData("{\"normalizer\": {\"type\": \"NFC\"}, \"model\": {\"type\": \"BPE\"}}", "there is a normalizer")]
    [InlineData("{\"model\": {\"type\": \"BPE\", \"byte_fallback\": true}}", "byte_fallback is true")]
    public async Task A_tokenizer_of_another_kind(string tokenizer, string message)
    {
        var model = Model(Llama);
        _output.Write("model/tokenizer.json", tokenizer);
        await Fails(message, "--model", model, "--data", Data());
    }

    [Fact]
    public async Task A_tokenizer_of_another_model()
    {
        var model = Model(Llama);
        File.Copy(RealModelTests.TokenizerPart("tokenizer.json"), Path.Combine(model, "tokenizer.json"));
        await Fails("the model has 300", "--model", model, "--data", Data());
    }

    [Fact]
    public async Task A_model_without_data() => await Fails("--model and --data belong together", "--model", "somewhere");

    [Fact]
    public async Task An_unknown_method() => await Fails("'dora'", "--method", "dora");

    [Fact]
    public async Task A_rank_for_a_method_without_one() => await Fails("(IA)³ has no rank", "--method", "ia3", "--rank", "4");

    [Theory]
    [InlineData("--rank", "0")]
    [InlineData("--steps", "-1")]
    public async Task A_number_out_of_range(string option, string value) => await Fails($"{option} is {value}, expected at least 1", option, value);

    [Theory]
    [InlineData("--rank", "abc", " of at least 1")]
    [InlineData("--rank", "4.5", " of at least 1")]
    [InlineData("--steps", "99999999999", " of at least 1")]
    [InlineData("--seed", "x", "")]
    public async Task What_is_no_number(string option, string value, string least) => await Fails($"{option} is '{value}', expected a whole number{least}.", option, value);

    [Theory]
    [InlineData("--rank")]
    [InlineData("--nonsense", "1")]
    [InlineData("stray")]
    public async Task What_no_option_is(params string[] args) => await Fails(args[0], args);

    [Fact]
    public async Task An_output_folder_that_cannot_be_made()
    {
        _output.Write("out", "a file stands in its place");
        await Fails("the folder cannot be made", "--steps", "1");
    }

    public void Dispose() => _output.Dispose();

    private string Model(string config) => Path.GetDirectoryName(_output.Write("model/config.json", config))!;

    private string Data() => _output.Write("good.jsonl", [.. Enumerable.Range(0, 8).Select(i => $"{{\"text\": \"It is true that you're number {i}.\"}}")]);

    private async Task Fails(string message, params string[] args)
    {
        Assert.Equal(1, await _output.Run(args));
        Assert.Contains(message, _output.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", _output.Errors, StringComparison.Ordinal);
        Assert.Empty(_output.Shown);
    }
}
