using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

public sealed class HuggingFaceFolderTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly DisposeScope _scope = torch.NewDisposeScope();

    [Fact]
    public void A_model_comes_back_from_one_file()
    {
        var written = new Pair();
        HuggingFaceFolder.Save(_folder.Path, written, new JsonObject { ["model_type"] = "pair" });
        Assert.Equal(["config.json", "model.safetensors"], _folder.FileNames);

        using var folder = HuggingFaceFolder.Open(_folder.Path);
        Assert.Equal("pair", (string?)folder.Config["model_type"]);
        Assert.Equal("float32", (string?)folder.Config["dtype"]);
        var read = new Pair();
        folder.Load(read);
        AssertEqual(written, read);
    }

    [Fact]
    public void A_model_comes_back_from_shards()
    {
        var written = new Pair();
        WriteShards(written, name => name.StartsWith("second", StringComparison.Ordinal) ? "b.safetensors" : "sub/a.safetensors");
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        Assert.Equal(written.state_dict().Keys.Order(), folder.Names.Order());
        var read = new Pair();
        folder.Load(read);
        AssertEqual(written, read);
    }

    [Theory]
    [InlineData("../a.safetensors")]
    [InlineData("sub/../../a.safetensors")]
    [InlineData("/etc/passwd")]
    [InlineData("..\\a.safetensors")]
    [InlineData("")]
    public void A_shard_that_leaves_the_folder_is_refused(string shard)
    {
        WriteIndex(("first.weight", shard));
        Assert.Contains($"weight_map 'first.weight' is '{shard}', expected a file within the folder", OpenRefused());
    }

    [Fact]
    public void Missing_shards_are_named()
    {
        WriteIndex(("first.weight", "b.safetensors"), ("first.bias", "b.safetensors"), ("second.weight", "a.safetensors"));
        Assert.Contains("2 (a.safetensors, b.safetensors)", OpenRefused());
    }

    [Fact]
    public void Index_entries_that_are_not_in_their_shard_are_named()
    {
        WriteShards(new Pair(), _ => "a.safetensors", ("third.weight", "a.safetensors"));
        Assert.Contains("1 (third.weight in a.safetensors)", OpenRefused());
    }

    [Theory]
    [InlineData("[]", "found JSON Array, expected an object")]
    [InlineData("{\"a\":", "not valid JSON")]
    [InlineData("{\"a\":1,\"a\":2}", "not valid JSON")]
    public void A_configuration_that_is_no_object_is_refused(string config, string expected)
    {
        File.WriteAllText(_folder["config.json"], config);
        Assert.Contains(expected, OpenRefused());
    }

    [Fact]
    public void What_a_folder_lacks_is_said()
    {
        Assert.Contains("no such folder", Assert.Throws<CheckpointException>(() => HuggingFaceFolder.Open(_folder["none"])).Message);
        Assert.Contains("config.json: there is no such file", OpenRefused());
        File.WriteAllText(_folder["config.json"], "{}");
        Assert.Contains("neither model.safetensors nor model.safetensors.index.json", OpenRefused());
        File.WriteAllText(_folder["pytorch_model.bin"], "");
        Assert.Contains("Convert pytorch_model.bin", OpenRefused());
        File.WriteAllText(_folder["model.safetensors.index.json"], "{}");
        Assert.Contains("there is no object 'weight_map'", OpenRefused());
        File.WriteAllText(_folder["model.safetensors.index.json"], """{"weight_map":{"a":1}}""");
        Assert.Contains("weight_map 'a' is 1, expected a file name", OpenRefused());
    }

    [Fact]
    public void Everything_that_does_not_fit_is_listed_and_nothing_is_loaded()
    {
        HuggingFaceFolder.Save(_folder.Path, new Pair(), []);
        using var file = SafetensorsFile.Open(_folder["model.safetensors"]);
        var others = file.Names.Where(name => name != "second.bias").Select(name => (name, name == "first.bias" ? torch.ones(1) : file.Read(name))).Append(("third.bias", torch.ones(1)));
        SafetensorsWriter.Write(_folder["model.safetensors"], others);

        using var folder = HuggingFaceFolder.Open(_folder.Path);
        var model = new Pair();
        var before = model.state_dict().ToDictionary(pair => pair.Key, pair => pair.Value.clone());
        var message = Assert.Throws<CheckpointException>(() => folder.Load(model)).Message;
        Assert.Contains("Missing in the folder: 1 (second.bias).", message);
        Assert.Contains("Surplus in the folder: 1 (third.bias).", message);
        Assert.Contains("Of another shape: 1 (first.bias: [1] in the folder, [3] in the model).", message);
        foreach (var (name, value) in model.state_dict()) TensorAssert.Same(before[name], value, name);
    }

    [Fact]
    public void Allowed_gaps_and_leftovers_are_passed_over()
    {
        var tensors = new Pair().state_dict().Where(pair => pair.Key != "second.bias").Select(pair => (pair.Key, pair.Value)).Append(("third.bias", torch.ones(1)));
        SafetensorsWriter.Write(_folder["model.safetensors"], tensors);
        File.WriteAllText(_folder["config.json"], "{}");
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        var model = new Pair();
        var bias = model.second.bias!.clone();
        folder.Load(model, mayBeMissing: new HashSet<string> { "second.bias" }, mayBeSurplus: new HashSet<string> { "third.bias" });
        TensorAssert.Same(bias, model.second.bias!);
    }

    [Fact]
    public void Names_can_be_mapped_both_ways()
    {
        var written = new Pair();
        HuggingFaceFolder.Save(_folder.Path, written, [], name => "model." + name);
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        Assert.Contains("model.first.weight", folder.Names);
        var read = new Pair();
        folder.Load(read, name => "model." + name);
        AssertEqual(written, read);
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Tied_weights_are_written_once_and_loaded_into_both(ScalarType type)
    {
        var written = new Tied(tie: true).to(type);
        HuggingFaceFolder.Save(_folder.Path, written, []);
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        Assert.Equal(["embed.weight", "other.weight"], folder.Names.Order());

        var read = new Tied(tie: true);
        folder.Load(read);
        TensorAssert.Same(written.embed.weight!.@float(), read.head.weight);

        // Without the tie the head's weight is really missing.
        Assert.Contains("Missing in the folder: 1 (head.weight)", Assert.Throws<CheckpointException>(() => folder.Load(new Tied(tie: false))).Message);
    }

    [Fact]
    public void Saving_names_the_type_that_was_written()
    {
        HuggingFaceFolder.Save(_folder.Path, new Pair().to(ScalarType.BFloat16), new JsonObject { ["torch_dtype"] = "float32", ["name"] = "ä<b>" });
        var text = File.ReadAllText(_folder["config.json"]);
        Assert.Contains("\"dtype\": \"bfloat16\"", text);
        Assert.Contains("\"torch_dtype\": \"bfloat16\"", text);
        Assert.Contains("ä<b>", text);
    }

    public void Dispose()
    {
        _scope.Dispose();
        _folder.Dispose();
    }

    private string OpenRefused() => Assert.Throws<CheckpointException>(() => HuggingFaceFolder.Open(_folder.Path)).Message;

    private void WriteShards(nn.Module model, Func<string, string> shardOf, params (string, string)[] more)
    {
        foreach (var shard in model.state_dict().GroupBy(pair => shardOf(pair.Key)))
            SafetensorsWriter.Write(_folder[shard.Key], shard.Select(pair => (pair.Key, pair.Value)));
        WriteIndex([.. model.state_dict().Keys.Select(name => (name, shardOf(name))), .. more]);
    }

    private void WriteIndex(params (string Name, string Shard)[] entries)
    {
        File.WriteAllText(_folder["config.json"], "{}");
        var map = new JsonObject(entries.Select(entry => KeyValuePair.Create(entry.Name, (JsonNode?)entry.Shard)));
        File.WriteAllText(_folder["model.safetensors.index.json"], new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString());
    }

    private static void AssertEqual(nn.Module expected, nn.Module actual)
    {
        var values = actual.state_dict();
        foreach (var (name, value) in expected.state_dict()) TensorAssert.Same(value, values[name], name);
    }

    private sealed class Pair : nn.Module<Tensor, Tensor>
    {
        public readonly Linear first = nn.Linear(2, 3);
        public readonly Linear second = nn.Linear(3, 4);
        public readonly BatchNorm1d norm = nn.BatchNorm1d(4);

        public Pair() : base("Pair") => RegisterComponents();

        public override Tensor forward(Tensor input) => norm.forward(second.forward(first.forward(input)));
    }

    private sealed class Tied : nn.Module<Tensor, Tensor>
    {
        public readonly Embedding embed = nn.Embedding(5, 3);
        public readonly Linear other = nn.Linear(3, 3, hasBias: false);
        public readonly Linear head = nn.Linear(3, 5, hasBias: false);

        public Tied(bool tie) : base("Tied")
        {
            if (tie) head.weight = embed.weight!;
            RegisterComponents();
        }

        public override Tensor forward(Tensor input) => head.forward(other.forward(embed.forward(input)));
    }
}
