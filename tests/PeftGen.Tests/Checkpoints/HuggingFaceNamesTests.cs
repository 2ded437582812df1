using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Tests.Tiny;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

/// <summary>What names and patterns mean in HF PEFT's configurations, and that ours are written so that they mean the same there.</summary>
public sealed class HuggingFaceNamesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Patterns_whose_order_matters_are_written_by_path()
    {
        var host = Llama();
        var adapter = host.Create(new LoRA(4, targets: "q_proj") { RankPattern = "q_proj=2, layers.0.self_attn.q_proj=6", AlphaPattern = "layers.1.self_attn.q_proj=8, q_proj=4" });
        adapter.Save(_folder.Path);
        Assert.Equal("""{"^model\\.layers\\.0\\.self_attn\\.q_proj":2,"^model\\.layers\\.1\\.self_attn\\.q_proj":2}""", Config()["rank_pattern"]!.ToJsonString());
        Assert.Equal("""{"layers.1.self_attn.q_proj":8,"q_proj":4}""", Config()["alpha_pattern"]!.ToJsonString());
        var loaded = host.Load(_folder.Path, [new LoRA()]);
        Assert.Equal(Shapes(adapter), Shapes(loaded));
        loaded.Save(_folder["again"]);
        Assert.Equal(File.ReadAllText(_folder["adapter_config.json"]), File.ReadAllText(_folder["again/adapter_config.json"]));
    }

    [Fact]
    public void A_key_that_is_written_twice_counts_once()
    {
        Llama().Create(new LoRA(4, targets: "q_proj,v_proj") { RankPattern = "q_proj=2, q_proj=3, v_proj=4" }).Save(_folder.Path);
        Assert.Equal("""{"q_proj":2,"v_proj":4}""", Config()["rank_pattern"]!.ToJsonString());
    }

    [Fact]
    public void Blocks_at_the_root_are_named_by_their_paths()
    {
        var host = HostOf("layers.0.up", "layers.0.down", "layers.1.up", "layers.1.down");
        var adapter = host.Create(new LoRA(2, targets: "up,down") { Layers = [1] });
        adapter.Save(_folder.Path);
        Assert.Equal("""["layers.1.down","layers.1.up"]""", Config()["target_modules"]!.ToJsonString());
        Assert.Null(Config()["layers_to_transform"]);
        Assert.Equal(Shapes(adapter), Shapes(host.Load(_folder.Path, [new LoRA()])));
    }

    [Fact]
    public void Indices_of_blocks_stay_where_they_mean_the_same()
    {
        Llama().Create(new LoRA(2, targets: "q_proj,v_proj") { Layers = [1], LayerLists = ["h", "layers"] }).Save(_folder.Path);
        Assert.Equal("""["q_proj","v_proj"]""", Config()["target_modules"]!.ToJsonString());
        Assert.Equal("[1]", Config()["layers_to_transform"]!.ToJsonString());
        Assert.Equal("""["h","layers"]""", Config()["layers_pattern"]!.ToJsonString());
        Assert.Equal(4, Shapes(Llama().Load(_folder.Path, [new LoRA()])).Count);
        // An expression beside indices is refused there, so names take its place.
        Llama().Create(new LoRA(2, targets: "regex:.*q_proj") { Layers = [1] }).Save(_folder.Path);
        Assert.Equal("""["q_proj"]""", Config()["target_modules"]!.ToJsonString());
        Assert.Equal("[1]", Config()["layers_to_transform"]!.ToJsonString());
    }

    [Theory]
    [InlineData("langs.*", """["de","en de","en-de"]""")]
    [InlineData("langs.en-de,langs.'en de'", """["langs.en de","langs.en-de"]""")]
    [InlineData("en-*", """["en-de"]""")]
    public void Names_may_have_any_characters_but_a_dot(string targets, string written)
    {
        var host = HostOf("langs.en-de", "langs.en de", "langs.de");
        var adapter = host.Create(new LoRA(2, targets: targets));
        adapter.Save(_folder.Path);
        Assert.Equal(written, Config()["target_modules"]!.ToJsonString());
        Assert.Equal(Shapes(adapter), Shapes(host.Load(_folder.Path, [new LoRA()])));
    }

    [Theory]
    [InlineData("norm", "[\"model.norm\"]", 1)]
    [InlineData("*norm", "[\"norm\"]", 5)]
    [InlineData("lm_head", "[\"lm_head\"]", 1)]
    public void Modules_that_train_whole_are_written_by_ends_that_mean_them_alone(string modules, string written, int copies)
    {
        var adapter = Llama().Create(new LoRA(2, targets: "q_proj") { ModulesToSave = modules });
        adapter.Save(_folder.Path);
        Assert.Equal(written, Config()["modules_to_save"]!.ToJsonString());
        Assert.Equal(2 * 2 + copies, Shapes(adapter).Count);
        var declaration = AdapterDeclaration.Read(_folder.Path);
        Assert.Equal(Shapes(adapter), Shapes(Llama().Load(_folder.Path, declaration.Methods)));
    }

    [Fact]
    public void What_no_list_can_mean_is_an_expression()
    {
        var host = HostOf("up", "inner.up");
        var adapter = host.Create(new LoRA(2, targets: "regex:up(?<=^.{2})"));
        adapter.Save(_folder.Path);
        Assert.Equal("up", (string?)Config()["target_modules"]);
        Assert.Equal(Shapes(adapter), Shapes(host.Load(_folder.Path, [new LoRA()])));
    }

    [Fact]
    public void Feedforward_layers_are_compared_by_the_end_of_their_names()
    {
        Llama().Create(new IA3("k_proj,down_proj", "k_proj,down_proj")).Save(_folder.Path);
        Edit(config => (config["target_modules"], config["feedforward_modules"]) = (new JsonArray("k_proj", "proj", "down_proj"), new JsonArray("proj", "down_proj")));
        var loaded = Llama().Load(_folder.Path, [new IA3()]);
        Assert.All(Shapes(loaded), shape => Assert.EndsWith(": 1x" + shape[(shape.LastIndexOf('x') + 1)..], shape, StringComparison.Ordinal));
        loaded.Save(_folder.Path);
        Assert.Equal("""["down_proj","k_proj","proj"]""", Config()["target_modules"]!.ToJsonString());
        Assert.Equal("""["down_proj","proj"]""", Config()["feedforward_modules"]!.ToJsonString());
    }

    [Theory]
    [InlineData("""{"embed_tokens": [3, 1], "lm_head": [7]}""", "trained tokens of lm_head are not supported")]
    [InlineData("""{"pooler": [3, 1]}""", "trained tokens of pooler are not supported")]
    public void Tokens_of_other_modules_are_refused(string tokens, string message)
    {
        Llama().Create(new LoRA(2, targets: "q_proj") { TrainableTokens = [3, 1] }).Save(_folder.Path);
        Edit(config => config["trainable_token_indices"] = JsonNode.Parse(tokens));
        Assert.Contains(message, Assert.Throws<AdapterException>(() => Llama().Load(_folder.Path, [new LoRA()])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(@"(?P<pre>.*)\.self_attn\.q_proj")]
    [InlineData(@"(?i)MODEL\.\w+\.\d{,2}\.self_attn\.q_proj\Z")]
    [InlineData(@".*q_proj.*")]
    public void Python_s_expressions_are_read_and_written_as_they_are(string python)
    {
        Llama().Create(new LoRA(2, targets: "q_proj")).Save(_folder.Path);
        Edit(config => config["target_modules"] = python);
        Llama().Load(_folder.Path, [new LoRA()]).Save(_folder.Path);
        Assert.Equal(python, (string?)Config()["target_modules"]);
    }

    [Theory]
    [InlineData(@"(?P<n>a)(?P=n)")]
    [InlineData(@"a++")]
    [InlineData(@"\p{L}")]
    public void What_no_target_can_say_is_refused(string expression)
    {
        Llama().Create(new LoRA(2, targets: "q_proj")).Save(_folder.Path);
        Edit(config => config["target_modules"] = expression);
        Assert.Contains("not supported", Assert.Throws<AdapterException>(() => Llama().Load(_folder.Path, [new LoRA()])).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(@"(?<n>a)(?'m'[b\]z])\z", @"(?P<n>a)(?P<m>[b\]z])\Z")]
    [InlineData(@"(?i)a(?<=b)", @"(?i)a(?<=b)")]
    [InlineData(@"a(?i)b", null)]
    [InlineData(@"(?<=a+)b", null)]
    [InlineData(@"(?<n>a)(?<n>b)", null)]
    public void Ours_are_written_in_Python_s_words_where_it_has_them(string dotNet, string? python)
    {
        var adapter = Llama().Create(new LoRA(2, targets: $"regex:{dotNet}|.*q_proj"));
        adapter.Save(_folder.Path);
        var written = Config()["target_modules"]!;
        if (python is null)
            Assert.Equal("""["q_proj"]""", written.ToJsonString());
        else
            Assert.Equal($"{python}|.*q_proj", written.GetValue<string>());
        Assert.Equal(Shapes(adapter), Shapes(Llama().Load(_folder.Path, [new LoRA()])));
    }

    private static TreeHost Llama() => TreeHost.Of(TestData.Path("hosts/llama"));

    private TreeHost HostOf(params string[] linears)
    {
        Directory.CreateDirectory(_folder["host"]);
        SafetensorsWriter.Write(_folder["host/model.safetensors"], linears.Select(name => (name + ".weight", zeros(4, 4))));
        return TreeHost.Of(_folder["host"]);
    }

    private JsonObject Config() => JsonNode.Parse(File.ReadAllText(_folder["adapter_config.json"]))!.AsObject();

    private void Edit(Action<JsonObject> edit)
    {
        var config = Config();
        edit(config);
        File.WriteAllText(_folder["adapter_config.json"], config.ToJsonString());
    }

    private static List<string> Shapes(AdapterNode adapter) =>
        [.. adapter.Slots().SelectMany(s => s.Stored(FileFormat.HuggingFace)).Select(s => $"{s.Key}: {string.Join('x', s.Value.shape)}").Order(StringComparer.Ordinal)];
}
