using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Tests.Tiny;

namespace PeftGen.Tests.Checkpoints;

/// <summary>Adapters that HF PEFT and AdapterHub saved: what they declare, and that they come back as they were.</summary>
public sealed class ReferenceAdapterTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("lora/llama-q-v", "[LoRA(rank: 4, alpha: 6, targets: \"q_proj,v_proj\")]")]
    [InlineData("lora/llama-regex", "[LoRA(rank: 4, alpha: 6, targets: \"regex:.*\\\\.layers\\\\.1\\\\..*(q_proj|down_proj)\")]")]
    [InlineData("lora/llama-patterns", null)]
    [InlineData("lora/llama-modules-to-save", null)]
    [InlineData("lora/llama-bias-lora-only", null)]
    [InlineData("lora/llama-trainable-tokens", null)]
    [InlineData("lora/bert-query-value-classifier", null)]
    [InlineData("ia3/llama", null)]
    [InlineData("ia3/bert", null)]
    [InlineData("ln_tuning/llama", null)]
    [InlineData("trainable_tokens/llama", null)]
    public void PEFT_s_files_are_written_as_they_were_read(string name, string? attribute)
    {
        var folder = TestData.Path("cases", name, "adapter");
        var declaration = AdapterDeclaration.Read(folder);
        if (attribute is not null)
            Assert.Equal(attribute, declaration.ToString());
        var host = HostOf(name);
        host.Load(folder, declaration.Methods).Save(_folder["loaded"]);
        AssertSameTensors(Path.Combine(folder, "adapter_model.safetensors"), _folder["loaded/adapter_model.safetensors"]);
        var expected = ConfigOf(folder);
        expected["inference_mode"] = true;
        Assert.Equal(Canonical(expected), Canonical(ConfigOf(_folder["loaded"])));

        // An adapter that was never a file writes the same fields, but for what only the Python side knows.
        var config = ConfigOf(folder);
        // HF PEFT repeats the names of heads.
        if (config["modules_to_save"] is JsonArray heads)
            config["modules_to_save"] = new JsonArray([.. heads.Select(name => (string?)name).Distinct().Select(name => JsonValue.Create(name))]);
        host.Create([.. declaration.Methods]).Save(_folder["created"], (string?)config["base_model_name_or_path"]);
        var created = ConfigOf(_folder["created"]);
        foreach (var field in created.Select(field => field.Key).Except(["inference_mode", "task_type", "auto_mapping"]))
            Assert.Equal($"{field}: {Canonical(config[field])}", $"{field}: {Canonical(created[field])}");
    }

    [Fact]
    public void AdapterHub_s_UniPELT_becomes_a_group_and_comes_back()
    {
        var folder = TestData.Path("cases/unipelt/bert_flat/adapter");
        var declaration = AdapterDeclaration.Read(folder);
        Assert.Equal(["PrefixTuning", "Bottleneck", "LoRA"], declaration.Methods.Select(method => method.GetType().Name));
        var host = HostOf("unipelt/bert_flat");
        var loaded = host.Load(folder, declaration.Methods);
        using (var file = SafetensorsFile.Open(Path.Combine(folder, "adapter.safetensors")))
        {
            Assert.Equal(
                file.Names.Order(StringComparer.Ordinal),
                loaded.Slots().SelectMany(slot => slot.Stored(FileFormat.AdapterHub)).Select(s => s.Key.Replace("{name}", "a", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            Assert.Equal(file.Names.Sum(name => file.Entry(name).Shape.Aggregate(1L, (a, b) => a * b)), loaded.ParameterReport(host).Stored);
        }

        loaded.Save(_folder["a"]);
        Assert.Equal("PEFTGEN", (string?)ConfigOf(_folder["a"])["peft_type"]);
        // Roles have become the names that they mean in this model.
        Assert.Equal(declaration.ToString().Replace("\"q,v\"", "\"query,value\"", StringComparison.Ordinal), AdapterDeclaration.Read(_folder["a"]).ToString());
        host.Load(_folder["a"], declaration.Methods).Save(_folder["b"]);
        AssertSameTensors(_folder["a/adapter_model.safetensors"], _folder["b/adapter_model.safetensors"]);
        Assert.Equal(File.ReadAllText(_folder["a/adapter_config.json"]), File.ReadAllText(_folder["b/adapter_config.json"]));
    }

    [Fact]
    public void What_the_model_does_not_declare_is_printed_to_be_written()
    {
        var message = Assert.Throws<AdapterException>(() => HostOf("ia3/llama").Load(TestData.Path("cases/ia3/llama/adapter"), [new LoRA()])).Message;
        Assert.Contains("[IA3(", message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_configuration_without_a_folder_is_read_too()
    {
        var config = ConfigOf(TestData.Path("cases/unipelt/bert_flat/adapter"));
        Assert.Equal(AdapterDeclaration.Read(config).ToString(), AdapterDeclaration.Read(config["config"]!.AsObject()).ToString());
        var unknown = new JsonObject { ["peft_type"] = "FROM_THE_FUTURE" };
        Assert.Contains("FROM_THE_FUTURE is no method", Assert.Throws<AdapterException>(() => AdapterDeclaration.Read(unknown)).Message, StringComparison.Ordinal);
    }

    private static TreeHost HostOf(string name) => TreeHost.Of(TestData.Path("hosts", name.Contains("bert", StringComparison.Ordinal) ? "bert" : "llama"));

    private static JsonObject ConfigOf(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "adapter_config.json")))!.AsObject();

    /// <summary>JSON in which equal values are equal texts: Python writes 0.0 where .NET writes 0, and sets in any order.</summary>
    private static string Canonical(JsonNode? node) => node switch
    {
        JsonObject json => $"{{{string.Join(", ", json.OrderBy(field => field.Key, StringComparer.Ordinal).Select(field => $"{field.Key}: {Canonical(field.Value)}"))}}}",
        JsonArray array => $"[{string.Join(", ", array.Select(Canonical).Order(StringComparer.Ordinal))}]",
        JsonValue value when value.GetValueKind() == System.Text.Json.JsonValueKind.Number => double.Parse(value.ToJsonString(), System.Globalization.CultureInfo.InvariantCulture).ToString("R", System.Globalization.CultureInfo.InvariantCulture),
        null => "null",
        _ => node.ToJsonString(),
    };

    private static void AssertSameTensors(string expectedFile, string foundFile)
    {
        using var expected = SafetensorsFile.Open(expectedFile);
        using var found = SafetensorsFile.Open(foundFile);
        Assert.Equal(expected.Names.Order(StringComparer.Ordinal), found.Names.Order(StringComparer.Ordinal));
        foreach (var name in expected.Names)
        {
            using var wanted = expected.Read(name);
            using var read = found.Read(name);
            TensorAssert.Same(wanted, read, name);
        }
    }
}
