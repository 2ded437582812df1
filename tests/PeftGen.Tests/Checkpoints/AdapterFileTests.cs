using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

/// <summary>Adapters in folders: HF PEFT's form, groups, AdapterHub's form, and what does not fit.</summary>
public sealed class AdapterFileTests : IDisposable
{
    private const string Weights = "adapter_model.safetensors";
    private const string Config = "adapter_config.json";
    private readonly TempFolder _folder = new();
    private readonly TinyModel _model = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void An_adapter_comes_back_with_its_values_and_bits()
    {
        using var x = Input();
        var saved = _model.CreateAdapter(1, new Delta("up,dense", scale: 0.25));
        saved.Save(_folder["a"], baseModel: "tiny");
        using var expected = _model.forward(saved, x);
        // What the model declares differs from the file, which wins.
        var loaded = _model.LoadAdapter(_folder["a"], new Delta("query", scale: 9));
        using var found = _model.forward(loaded, x);
        TensorAssert.Same(expected, found);
        Assert.All(_model.parameters(), p => Assert.False(p.requires_grad));
        Assert.All(loaded.parameters(), p => Assert.True(p.requires_grad));

        loaded.Save(_folder["b"]);
        Assert.Equal([$"a/{Config}", $"a/{Weights}", $"b/{Config}", $"b/{Weights}"], _folder.FileNames);
        foreach (var file in (string[])[Config, Weights])
            Assert.Equal(File.ReadAllBytes(_folder[$"a/{file}"]), File.ReadAllBytes(_folder[$"b/{file}"]));
    }

    [Fact]
    public void The_files_are_as_PEFT_writes_them()
    {
        _model.CreateAdapter(1, new Delta("up,head.out", scale: 0.25)).Save(_folder.Path, "tiny");
        Assert.Equal(
            """
            {
              "auto_mapping": null,
              "base_model_name_or_path": "tiny",
              "delta_dropout": 0,
              "delta_scale": 0.25,
              "inference_mode": true,
              "peft_type": "DELTA",
              "revision": null,
              "target_modules": [
                "up",
                "head.out"
              ],
              "task_type": null
            }

            """, File.ReadAllText(_folder[Config]));
        using var file = SafetensorsFile.Open(_folder[Weights]);
        Assert.Equal(
            ["base_model.model.blocks.0.up.delta.weight", "base_model.model.blocks.1.up.delta.weight", "base_model.model.head.out.delta.weight"],
            file.Names.Order(StringComparer.Ordinal));
        Assert.Equal("pt", file.Metadata["format"]);
    }

    [Fact]
    public void Fields_that_the_method_does_not_know_are_written_again()
    {
        _model.CreateAdapter(1, new Delta("up")).Save(_folder.Path);
        EditConfig(config =>
        {
            config["task_type"] = "CAUSAL_LM";
            config["revision"] = "main";
            config["from_the_future"] = new JsonObject { ["z"] = 1, ["a"] = new JsonArray(1, "two", null) };
            config["inference_mode"] = false;
        });
        _model.LoadAdapter(_folder.Path, new Delta("up")).Save(_folder["again"]);
        var config = ConfigOf("again");
        Assert.Equal("CAUSAL_LM", (string?)config["task_type"]);
        Assert.Equal("main", (string?)config["revision"]);
        Assert.Equal("""{"a":[1,"two",null],"z":1}""", config["from_the_future"]!.ToJsonString());
        Assert.True((bool)config["inference_mode"]!);
        Assert.Equal(config.Select(field => field.Key).Order(StringComparer.Ordinal), config.Select(field => field.Key));
    }

    [Fact]
    public void A_group_of_methods_comes_back_in_the_order_of_the_group()
    {
        using var x = Input();
        var saved = _model.CreateAdapter(1, new Prefix(3, "blocks.0,blocks.1"), new Delta("up", scale: 0.5), new Shift("blocks.1"));
        saved.Save(_folder.Path);
        Assert.Equal("PEFTGEN", (string?)ConfigOf("")["peft_type"]);
        EditConfig(config =>
        {
            // Another order, and a field of one of the methods.
            var methods = config["methods"]!.AsArray();
            var last = methods[2]!;
            methods.RemoveAt(2);
            methods.Insert(0, last);
            methods[2]!["unknown"] = "kept";
        });
        using var expected = _model.forward(saved, x);
        var loaded = _model.LoadAdapter(_folder.Path, new Prefix(1, "blocks.0,blocks.1"), new Delta("down"), new Shift("blocks.1"));
        using var found = _model.forward(loaded, x);
        TensorAssert.Same(expected, found);
        loaded.Save(_folder["again"]);
        var written = ConfigOf("again")["methods"]!.AsArray();
        Assert.Equal(["PREFIX", "DELTA", "SHIFT"], written.Select(method => (string?)method!["peft_type"]));
        Assert.Equal("kept", (string?)written[1]!["unknown"]);
    }

    [Fact]
    public void A_file_of_one_method_of_a_group_loads_and_leaves_the_other_s_sites_to_the_base()
    {
        using var x = Input();
        var saved = _model.CreateAdapter(1, new Delta("up"));
        saved.Save(_folder.Path);
        var loaded = _model.LoadAdapter(_folder.Path, new Shift("blocks.0"), new Delta("up"));
        using var expected = _model.forward(saved, x);
        using var found = _model.forward(loaded, x);
        TensorAssert.Same(expected, found);
    }

    [Fact]
    public void AdapterHub_s_union_is_shared_out_among_the_methods()
    {
        using var x = Input();
        var saved = _model.CreateAdapter(1, new Delta("up", scale: 0.5), new Prefix(3, "blocks.0,blocks.1"));
        File.WriteAllText(_folder[Config],
            """
            {"name": "german", "version": "adapters.1.3.0", "config": {"architecture": "union", "configs": [
              {"architecture": "prefix", "length": 3}, {"architecture": "delta", "delta_scale": 0.5, "target_modules": ["up"]}]}}
            """);
        SafetensorsWriter.Write(_folder["adapter.safetensors"], saved.Slots().SelectMany(s => s.Stored(FileFormat.AdapterHub))
            .Select(entry => (entry.Key.Replace("{name}", "german", StringComparison.Ordinal), entry.Value)));
        var loaded = _model.LoadAdapter(_folder.Path, new Delta("down"), new Prefix(1, "blocks.0,blocks.1"));
        using var expected = _model.forward(saved, x);
        using var found = _model.forward(loaded, x);
        TensorAssert.Same(expected, found);
    }

    [Fact]
    public void What_does_not_fit_is_listed_and_nothing_changes()
    {
        _model.CreateAdapter(1, new Delta("up,query")).Save(_folder.Path);
        var tensors = ReadAll();
        tensors.Remove("base_model.model.blocks.1.up.delta.weight");
        tensors["base_model.model.blocks.7.up.delta.weight"] = zeros(2, 2);
        tensors["base_model.model.blocks.0.up.delta.weight"] = zeros(1, TinyModel.Dim);
        SafetensorsWriter.Write(_folder[Weights], tensors.Select(entry => (entry.Key, entry.Value)));
        var fresh = new TinyModel();
        var message = Assert.Throws<AdapterException>(() => fresh.LoadAdapter(_folder.Path, new Delta("up"))).Message;
        Assert.Contains("Missing: 1 (base_model.model.blocks.1.up.delta.weight)", message, StringComparison.Ordinal);
        Assert.Contains("Surplus: 1 (base_model.model.blocks.7.up.delta.weight)", message, StringComparison.Ordinal);
        Assert.Contains("blocks.0.up.delta.weight: [1, 6] there, [8, 6] expected", message, StringComparison.Ordinal);
        Assert.Contains(_folder[Weights], message, StringComparison.Ordinal);
        Assert.All(fresh.parameters(), p => Assert.True(p.requires_grad));
    }

    [Fact]
    public void A_method_that_the_model_does_not_declare_is_named()
    {
        _model.CreateAdapter(1, new Delta("up")).Save(_folder.Path);
        var message = Assert.Throws<AdapterException>(() => _model.LoadAdapter(_folder.Path, new Shift("blocks.0"))).Message;
        Assert.Contains(_folder[Config], message, StringComparison.Ordinal);
        Assert.Contains("DELTA", message, StringComparison.Ordinal);
        Assert.Contains("[Shift(\"blocks.0\")]", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{}", "neither 'peft_type'")]
    [InlineData("""{"peft_type": "PEFTGEN", "methods": []}""", "'methods' is []")]
    [InlineData("""{"peft_type": "DELTA", "target_modules": ["up"], "delta_scale": "large"}""", "Delta cannot read its values")]
    [InlineData("""{"peft_type": "DELTA", "target_modules": ["nothing"], "delta_scale": 1}""", "match no layer of this model")]
    public void A_configuration_that_makes_no_sense_is_refused_with_its_path(string config, string expected)
    {
        _model.CreateAdapter(1, new Delta("up")).Save(_folder.Path);
        File.WriteAllText(_folder[Config], config);
        var message = Assert.Throws<AdapterException>(() => _model.LoadAdapter(_folder.Path, new Delta("up"))).Message;
        Assert.StartsWith(_folder[Config], message, StringComparison.Ordinal);
        Assert.Contains(expected, message, StringComparison.Ordinal);
    }

    [Fact]
    public void Missing_files_and_pickles_are_refused()
    {
        Assert.Contains("no such folder", Assert.Throws<CheckpointException>(() => _model.LoadAdapter(_folder["none"], new Delta("up"))).Message, StringComparison.Ordinal);
        Assert.Contains(Config, Assert.Throws<CheckpointException>(() => _model.LoadAdapter(_folder.Path, new Delta("up"))).Message, StringComparison.Ordinal);
        _model.CreateAdapter(1, new Delta("up")).Save(_folder.Path);
        File.Move(_folder[Weights], _folder["adapter_model.bin"]);
        Assert.Contains("pickle", Assert.Throws<CheckpointException>(() => _model.LoadAdapter(_folder.Path, new Delta("up"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_write_that_fails_leaves_the_old_adapter()
    {
        using var x = Input();
        var old = _model.CreateAdapter(1, new Delta("up"));
        old.Save(_folder.Path);
        var broken = _model.CreateAdapter(2, new Delta("up"), new Unwritable("dense"));
        Assert.Throws<IOException>(() => broken.Save(_folder.Path));
        Assert.Equal([Config, Weights], _folder.FileNames);
        using var expected = _model.forward(old, x);
        using var found = _model.forward(_model.LoadAdapter(_folder.Path, new Delta("up")), x);
        TensorAssert.Same(expected, found);
    }

    [Fact]
    public void Nothing_is_loaded_or_created_beside_what_is_merged()
    {
        var adapter = _model.CreateAdapter(1, new Delta("up"));
        adapter.Save(_folder.Path);
        _model.Merge(adapter);
        Assert.Contains("merged", Assert.Throws<AdapterException>(() => _model.LoadAdapter(_folder.Path, new Delta("up"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_merged_model_comes_back_from_its_folder()
    {
        using var x = Input();
        var adapter = _model.CreateAdapter(1, new Delta("up,dense,out"));
        using var adapted = _model.forward(adapter, x);
        _model.Merge(adapter);
        HuggingFaceFolder.Save(_folder.Path, _model, new JsonObject { ["model_type"] = "tiny" });
        using var merged = _model.forward(x);
        var fresh = new TinyModel(seed: 2);
        using (var folder = HuggingFaceFolder.Open(_folder.Path))
            folder.Load(fresh);
        using var found = fresh.forward(x);
        TensorAssert.Same(merged, found);
        TensorAssert.Close(adapted, found, 1e-5);
    }

    private Dictionary<string, Tensor> ReadAll()
    {
        using var file = SafetensorsFile.Open(_folder[Weights]);
        return file.Names.ToDictionary(name => name, file.Read);
    }

    private JsonObject ConfigOf(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(_folder.Path, folder, Config)))!.AsObject();

    private void EditConfig(Action<JsonObject> edit)
    {
        var config = ConfigOf("");
        edit(config);
        File.WriteAllText(_folder[Config], config.ToJsonString());
    }

    private static Tensor Input()
    {
        using var generator = new Generator(99);
        return randn([2, 4, TinyModel.Dim], generator: generator);
    }

    /// <summary>A method whose configuration cannot be written once its weights have been.</summary>
    private sealed class Unwritable(string targets) : AdaptAttribute
    {
        public override IReadOnlyList<Claim> Claims { get; } = [new Claim(SiteKind.Layer, TargetList.Parse(targets))];

        public override string PeftType => "UNWRITABLE";

        public override Slot CreateSlot(Site site) => new UnwritableSlot(site.Path);

        public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> fileTargets) => config["value"] = JsonValue.Create(new FailsToWrite());

        public override AdaptAttribute ReadConfig(JsonObject config) => this;

        public override string ToString() => "[Unwritable]";
    }

    private sealed class UnwritableSlot(string path) : LayerSlot(path)
    {
        public override Tensor forward(LayerCall layer, Tensor x) => layer.forward(x);

        public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
    }

    private sealed class FailsToWrite
    {
        public int Value => throw new IOException("no space left on the device");
    }
}
