using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Tests.Tiny;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

/// <summary>Adapters that were made here, in AdapterHub's folders: what is written of them, that it opens again, and what has no form there.</summary>
public sealed class HubFileTests : IDisposable
{
    private readonly TempFolder _folder = new();
    private readonly TreeHost _bert = TreeHost.Of(TestData.Path("hosts/bert"));

    public void Dispose()
    {
        _bert.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public void A_recorded_folder_is_written_as_it_was_read()
    {
        var recorded = TestData.Path("cases/unipelt/bert_flat/adapter");
        _bert.Load(recorded, AdapterDeclaration.Read(recorded).Methods).SaveAsAdapterHub(_folder.Path);
        Assert.True(JsonNode.DeepEquals(ConfigOf(recorded), ConfigOf(_folder.Path)), ConfigOf(_folder.Path).ToJsonString());
        AssertSameTensors(recorded, _folder.Path);
    }

    [Fact]
    public void A_new_union_is_written_with_the_places_that_it_has_and_opens_again()
    {
        var adapter = _bert.Create(new UniPELT(rank: 2, length: 3, reduction: 4) { Projection = 5, Positions = PrefixPositions.Kept, Pooling = GatePooling.All, Group = "mine" });
        adapter.SaveAsAdapterHub(_folder.Path, baseModel: "bert-base");
        var envelope = ConfigOf(_folder.Path);
        Assert.Equal(("mine", "bert-base", "adapters.1.3.0"), ((string?)envelope["name"], (string?)envelope["model_name"], (string?)envelope["version"]));
        var parts = envelope["config"]!["configs"]!.AsArray();
        Assert.Equal(["prefix_tuning", null, "lora"], parts.Select(part => (string?)part!["architecture"]));
        Assert.Equal("false true false", string.Join(" ", new[] { "mh_adapter", "output_adapter", "cross_adapter" }.Select(place => parts[1]![place]!.ToJsonString())));
        // The reference takes a whole number for something else.
        Assert.Equal("1.0", parts[1]!["scaling"]!.ToJsonString());
        Assert.Equal("""["q","v"]""", parts[2]!["attn_matrices"]!.ToJsonString());
        AssertOpensAgain(adapter);
    }

    public static TheoryData<AdaptAttribute[], string> Forms => new()
    {
        { [new LoRA(2, targets: "key,hub_intermediate") { LeaveOut = [0] }], """{"attn_matrices":["k"],"intermediate_lora":true,"output_lora":false,"selfattn_lora":true,"leave_out":[0]}""" },
        { [new LoRA(2, targets: "query") { Layers = [1] }], """{"attn_matrices":["q"],"leave_out":[0]}""" },
        { [new LoRA(2, targets: "encoder.layer.*.output.dense")], """{"selfattn_lora":false,"output_lora":true,"leave_out":[]}""" },
        { [new IA3("k,v", feedforward: "")], """{"composition_mode":"scale","attn_matrices":["k","v"],"r":1}""" },
        { [new Houlsby(reduction: 4)], """{"mh_adapter":true,"output_adapter":true,"original_ln_before":false,"non_linearity":"swish"}""" },
        { [new Bottleneck(reduction: 4, targets: "layer.1.output")], """{"mh_adapter":false,"output_adapter":true,"leave_out":[0]}""" },
        { [new Bottleneck(reduction: 4) { ReductionPattern = "0=2" }], """{"reduction_factor":{"0":2,"default":4}}""" },
        { [new Compacter(reduction: 4)], """{"phm_layer":true,"phm_dim":4,"mh_adapter":true}""" },
        { [new PrefixTuning(3, positions: PrefixPositions.Kept) { Projection = 4 }], """{"flat":false,"bottleneck_size":4,"encoder_prefix":true,"cross_prefix":true}""" },
        { [new PrefixTuning(3, positions: PrefixPositions.Kept) { LeaveOut = [1] }], """{"flat":true,"leave_out":[1]}""" },
    };

    [Theory]
    [MemberData(nameof(Forms))]
    public void What_a_configuration_says_is_where_the_adapter_is(AdaptAttribute[] methods, string expected)
    {
        var adapter = _bert.Create(methods);
        adapter.SaveAsAdapterHub(_folder.Path);
        var config = ConfigOf(_folder.Path)["config"]!.AsObject();
        foreach (var (field, value) in JsonNode.Parse(expected)!.AsObject())
            Assert.Equal($"{field}: {value!.ToJsonString()}", $"{field}: {config[field]?.ToJsonString()}");
        AssertOpensAgain(adapter);
    }

    [Fact]
    public void Tasks_become_a_folder_each()
    {
        var adapter = _bert.Create(new MTLLoRA(tasks: 2, rank: 2, targets: "query") { Group = "both" });
        adapter.SaveAsAdapterHub(_folder.Path);
        Assert.Equal("""["both_0"]""", JsonNode.Parse(File.ReadAllText(_folder["adapter_setup.json"]))!["adapter_setup"]!["children"]![0]!["children"]!.ToJsonString());
        Assert.Equal("both_1", (string?)ConfigOf(_folder["both_1"])["name"]);
        AssertOpensAgain(adapter);
        var beside = _bert.Create(new MTLLoRA(tasks: 2, rank: 2, targets: "query"), new Bottleneck());
        Assert.Contains("no place for the other methods", Assert.Throws<AdapterException>(() => beside.SaveAsAdapterHub(_folder["other"])).Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["other"]));
    }

    public static TheoryData<AdaptAttribute[], string> WithoutForm => new()
    {
        { [new UniPELT(rank: 2, length: 3) { Positions = PrefixPositions.Kept }], "Pooling = GatePooling.Masked" },
        { [new PrefixTuning(3)], "Positions = PrefixPositions.Shifted" },
        { [new LoRA(2, targets: "query") { RsLora = true, RankPattern = "key=2" }], "no form for RsLora, RankPattern" },
        { [new LoRA(2, targets: "layer.0.attention.self.query,layer.1.attention.self.query,layer.1.attention.self.key")], "layer.0.attention.self.key is left out" },
        { [new LoRA(2, targets: "attention.output.dense")], "attention.output.dense is adapted; they have places for q, k, v" },
        { [new IA3("k,v,ffn_out")], "Feedforward" },
        { [new LNTuning("LayerNorm")], "no form for this method" },
    };

    [Theory]
    [MemberData(nameof(WithoutForm))]
    public void What_has_no_form_there_is_refused_and_nothing_is_written(AdaptAttribute[] methods, string expected)
    {
        var error = Assert.Throws<AdapterException>(() => _bert.Create(methods).SaveAsAdapterHub(_folder["out"]));
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.Contains("Save it in HF PEFT's form", error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_folder["out"]));
    }

    [Fact]
    public void A_name_that_would_break_the_keys_is_refused() =>
        Assert.Contains("\"a.b\"", Assert.Throws<AdapterException>(() => _bert.Create(new LoRA(2, targets: "query")).SaveAsAdapterHub(_folder.Path, "a.b")).Message, StringComparison.Ordinal);

    private void AssertOpensAgain(TreeHost.TreeAdapter adapter)
    {
        var loaded = _bert.Load(_folder.Path, AdapterDeclaration.Read(_folder.Path).Methods);
        loaded.SaveAsAdapterHub(_folder["again"]);
        foreach (var file in Directory.GetFiles(_folder.Path, "*.safetensors", SearchOption.AllDirectories).Where(file => !file.StartsWith(_folder["again"], StringComparison.Ordinal)))
            AssertSameTensors(Path.GetDirectoryName(file)!, Path.Combine(_folder["again"], Path.GetRelativePath(_folder.Path, Path.GetDirectoryName(file)!)));
        var (made, read) = (Values(adapter), Values(loaded));
        Assert.Equal(made.Keys.Order(StringComparer.Ordinal), read.Keys.Order(StringComparer.Ordinal));
        foreach (var (key, value) in made)
            TensorAssert.Same(value, read[key], key);
    }

    private static Dictionary<string, Tensor> Values(AdapterNode adapter) =>
        adapter.Slots().SelectMany(slot => slot.Stored(FileFormat.AdapterHub)).DistinctBy(stored => stored.Key).ToDictionary(stored => stored.Key, stored => stored.Value);

    private static JsonObject ConfigOf(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!.AsObject();

    private static void AssertSameTensors(string expectedFolder, string foundFolder)
    {
        using var expected = SafetensorsFile.Open(Path.Combine(expectedFolder, "adapter.safetensors"));
        using var found = SafetensorsFile.Open(Path.Combine(foundFolder, "adapter.safetensors"));
        Assert.Equal(expected.Names.Order(StringComparer.Ordinal), found.Names.Order(StringComparer.Ordinal));
        foreach (var name in expected.Names)
        {
            using var wanted = expected.Read(name);
            using var read = found.Read(name);
            TensorAssert.Same(wanted, read, name);
        }
    }
}
