using System.Diagnostics;
using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Hostile;

/// <summary>Files that ask for what nobody has, lead elsewhere or are none: what the error says, and that it comes at once.</summary>
public sealed class HostileFileTests : IDisposable
{
    private const string Config = "adapter_config.json", Weights = "adapter_model.safetensors", Setup = "adapter_setup.json";
    private readonly TempFolder _folder = new();
    private readonly TreeHost _llama = TreeHost.Of(TestData.Path("hosts/llama"));

    public HostileFileTests() => CopyOf("lora/llama-q-v");

    public void Dispose()
    {
        _llama.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("r", "2147483647", "asks for a tensor [2147483647,")]
    [InlineData("r", "100000", "asks for a tensor [100000,")]
    [InlineData("r", "0", "'r' is 0, expected a whole number of at least 1")]
    [InlineData("r", "-4", "'r' is -4, expected a whole number of at least 1")]
    [InlineData("r", "\"4\"", "'r' is \"4\", expected a whole number")]
    [InlineData("r", "4.5", "'r' is 4.5, expected a whole number")]
    [InlineData("r", "1e30", "'r' is 1e30, expected a whole number")]
    [InlineData("rank_pattern", "{\"q_proj\":2147483647}", "asks for a tensor [2147483647,")]
    [InlineData("rank_pattern", "{\"q_proj\":1e300}", "rank is 1E+300, expected a whole number from 1 to")]
    [InlineData("rank_pattern", "{\"q_proj\":-3}", "rank is -3, expected a whole number from 1 to")]
    [InlineData("rank_pattern", "{\"q_proj\":null}", "'rank_pattern' has null for 'q_proj', expected a number")]
    [InlineData("rank_pattern", "[1]", "'rank_pattern' is [1], expected an object from names to numbers")]
    [InlineData("alpha_pattern", "\"q_proj=4\"", "'alpha_pattern' is \"q_proj=4\", expected an object from names to numbers")]
    [InlineData("lora_alpha", "\"big\"", "'lora_alpha' is \"big\", expected a number")]
    [InlineData("lora_dropout", "1.5", "'lora_dropout' is 1.5, expected a probability")]
    [InlineData("lora_dropout", "-0.1", "'lora_dropout' is -0.1, expected a probability")]
    [InlineData("use_rslora", "\"true\"", "'use_rslora' is \"true\", expected true or false")]
    [InlineData("target_modules", "[\"q_proj\",null]", "'target_modules' has null, expected a list of names")]
    [InlineData("target_modules", "{\"q_proj\":1}", "expected a list of names or a regular expression")]
    [InlineData("target_modules", "[[\"q_proj\"]]", "'target_modules' is [\"q_proj\"], expected a list of names")]
    [InlineData("modules_to_save", "[null]", "'modules_to_save' has null, expected a list of names")]
    [InlineData("layers_to_transform", "[0,null]", "'layers_to_transform' has null, expected a list of whole numbers")]
    [InlineData("layers_to_transform", "true", "'layers_to_transform' is true, expected a list of whole numbers")]
    [InlineData("trainable_token_indices", "[1e10]", "expected a list of whole numbers")]
    [InlineData("bias", "7", "'bias' is 7, expected a string")]
    [InlineData("peft_type", "5", "'peft_type' is 5, expected a string")]
    [InlineData("peft_type", "\"PEFTGEN\"", "'methods' is not there, expected a list")]
    public void Values_that_no_method_has_are_refused_by_an_adapter_s_error(string field, string value, string expected)
    {
        Set(field, value);
        Refused<AdapterException>(expected);
    }

    [Theory]
    [InlineData("{\"r\":1e400}", "'r' is 1e400, expected a finite number")]
    [InlineData("{\"future\":[0,[-1e999]]}", "'future' is -1e999, expected a finite number")]
    [InlineData("{\"r\":NaN}", "not valid JSON")]
    [InlineData("{\"r\":1,\"r\":2}", "not valid JSON")]
    [InlineData("{\"x\":{\"r\":1,\"r\":2}}", "not valid JSON")]
    [InlineData("{\"x\":\"\\ud800\"}", "not valid JSON")]
    [InlineData("{\"\\udc00\":1}", "not valid JSON")]
    [InlineData("[]", "found JSON Array, expected an object")]
    [InlineData("null", "found JSON null, expected an object")]
    public void Text_that_is_no_configuration_is_refused_by_a_file_s_error(string json, string expected)
    {
        File.WriteAllText(_folder[Config], json);
        Refused<CheckpointException>(expected);
    }

    [Fact]
    public void Bytes_that_are_no_text_are_refused()
    {
        File.WriteAllBytes(_folder[Config], [.. "{\"x\":\""u8, 0xc3, 0x28, .. "\"}"u8]);
        Refused<CheckpointException>("not valid UTF-8 (byte 6)");
        File.WriteAllText(_folder[Config], new string('[', 1_000_000));
        Refused<CheckpointException>("not valid JSON");
        File.WriteAllText(_folder[Config], "{\"peft_type\":[0" + string.Concat(Enumerable.Repeat(",0", 1_000_000)) + "]}");
        Refused<AdapterException>("'peft_type' is [0,0,0");
        File.WriteAllText(_folder[Config], "{\"target_modules\":\"" + new string('x', 1_000_000) + "\",\"peft_type\":7,\"x\":\"" + new string('y', 1_000_000) + "\"}");
        Assert.True(Refused<AdapterException>("expected a string").Length < 2000);
    }

    [Theory]
    [InlineData("num_virtual_tokens", "2147483647", "asks for a tensor [2147483647,")]
    [InlineData("num_virtual_tokens", "50000", "asks for a tensor [50000,")]
    [InlineData("num_virtual_tokens", "-1", "expected a whole number of at least 1")]
    public void A_prefix_is_no_longer_than_its_file(string field, string value, string expected)
    {
        CopyOf("prefix_tuning/bert_projection");
        Set(field, value);
        using var bert = TreeHost.Of(TestData.Path("hosts/bert"));
        Refused<AdapterException>(expected, () => bert.Load(_folder.Path, [new PrefixTuning()]).Dispose());
    }

    [Theory]
    [InlineData("[\"..\"]", "expected the name of a folder beside the setup")]
    [InlineData("[\".\"]", "expected the name of a folder beside the setup")]
    [InlineData("[\"\"]", "expected the name of a folder beside the setup")]
    [InlineData("[\"/etc\"]", "expected the name of a folder beside the setup")]
    [InlineData("[\"a/../../b\"]", "expected the name of a folder beside the setup")]
    [InlineData("[\"a\\\\b\"]", "expected the name of a folder beside the setup")]
    [InlineData("[\"a\\u0000\"]", "expected the name of a folder beside the setup")]
    [InlineData("[null]", "expected one adapter by its name")]
    [InlineData("[5]", "expected one adapter by its name")]
    [InlineData("\"a\"", "expected one adapter by its name")]
    public void A_setup_names_folders_beside_it(string child, string expected)
    {
        CopyOf("adapterhub_lora/bert_mtl");
        File.WriteAllText(_folder[Setup], """{"adapter_setup":{"type":"MultiTask","children":[{"type":"single","children":""" + child + "}]}}");
        Refused<AdapterException>(expected, LoadTasks);
    }

    [Theory]
    [InlineData("5", "the setup is not there")]
    [InlineData("{\"type\":5,\"children\":[1]}", "the setup is 5")]
    [InlineData("{\"type\":\"MultiTask\",\"children\":{}}", "expected \"MultiTask\"")]
    [InlineData("{\"type\":\"MultiTask\",\"children\":[7]}", "found the task 7")]
    [InlineData("{\"type\":\"MultiTask\",\"children\":[{\"children\":[\"a\"]},{\"children\":[\"a\"]}]}", "names 'a' 2 times")]
    public void A_setup_is_an_object_of_tasks(string setup, string expected)
    {
        CopyOf("adapterhub_lora/bert_mtl");
        File.WriteAllText(_folder[Setup], "{\"adapter_setup\":" + setup + "}");
        Refused<AdapterException>(expected, LoadTasks);
    }

    [Fact]
    public void A_setup_below_a_setup_and_one_that_leads_to_itself_are_refused()
    {
        CopyOf("adapterhub_lora/bert_mtl");
        File.Copy(_folder[Setup], _folder[$"a/{Setup}"]);
        File.Delete(_folder[$"a/{Config}"]);
        Refused<CheckpointException>("there is no such file, expected an adapter's configuration", LoadTasks);
        Directory.Delete(_folder["a"], recursive: true);
        Directory.CreateSymbolicLink(_folder["a"], ".");
        Refused<CheckpointException>("there is no such file, expected an adapter's configuration", LoadTasks);
    }

    [Theory]
    [InlineData(Config)]
    [InlineData(Weights)]
    public void Pipes_devices_and_folders_in_a_file_s_place_are_refused_at_once(string name)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "there are no pipes with names in folders");
        File.Delete(_folder[name]);
        using (var pipe = Process.Start("mkfifo", [_folder[name]]))
            pipe.WaitForExit();
        Refused<CheckpointException>($"{_folder[name]}: the file has 0 bytes, as pipes and devices have");
        File.Delete(_folder[name]);
        File.CreateSymbolicLink(_folder[name], "/dev/zero");
        Refused<CheckpointException>($"{_folder[name]}: the file has 0 bytes, as pipes and devices have");
        File.Delete(_folder[name]);
        File.WriteAllBytes(_folder[name], []);
        Refused<CheckpointException>("the file has 0 bytes");
        File.Delete(_folder[name]);
        File.CreateSymbolicLink(_folder[name], name);
        Refused<CheckpointException>(name);
        File.Delete(_folder[name]);
        Directory.CreateDirectory(_folder[name]);
        Refused<CheckpointException>($"{_folder[name]}: found a folder");
    }

    [Fact]
    public void A_file_that_is_cut_off_while_it_is_open_ends_in_an_error()
    {
        SafetensorsWriter.Write(_folder["x.safetensors"], [("a", ones(100_000))]);
        using var file = SafetensorsFile.Open(_folder["x.safetensors"]);
        using (var cut = new FileStream(_folder["x.safetensors"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            cut.SetLength(1000);
        Refused<CheckpointException>("it was cut off while it was read", () => file.Read("a").Dispose());
        using var target = zeros(100_000, dtype: ScalarType.Float64);
        Refused<CheckpointException>("it was cut off while it was read", () => file.ReadInto("a", target));
    }

    [Fact]
    public void Numbers_of_another_kind_are_no_weights()
    {
        var bytes = File.ReadAllBytes(_folder[Weights]);
        bytes.AsSpan().IndexOf("\"F32\""u8);
        "\"I32\""u8.CopyTo(bytes.AsSpan(bytes.AsSpan().IndexOf("\"F32\""u8)));
        File.WriteAllBytes(_folder[Weights], bytes);
        Refused<AdapterException>("Int32 there, Float32 expected");
    }

    [Fact]
    public void Not_a_number_in_weights_is_loaded_as_it_is()
    {
        var bytes = File.ReadAllBytes(_folder[Weights]);
        BitConverter.GetBytes(float.NaN).CopyTo(bytes, bytes.Length - 4);
        File.WriteAllBytes(_folder[Weights], bytes);
        using var loaded = _llama.Load(_folder.Path, [new LoRA()]);
        Assert.Contains(loaded.parameters(), parameter => parameter.isnan().any().item<bool>());
    }

    [Fact]
    public void What_fails_while_it_is_made_frees_its_tensors()
    {
        using var model = new TinyModel();
        var before = Live();
        // The second method has nothing that it could act on, which shows when the first has all that it wants.
        Assert.Throws<AdapterException>(() => model.CreateAdapter(1, new Delta("up"), new Own("query")));
        Assert.Equal(before, Live());
        Set("target_modules", "[\"q_proj\"]");
        before = Live();
        Refused<AdapterException>("Surplus");
        Assert.Equal(before, Live());
        Set("rank_pattern", "{\"layers.1.self_attn.q_proj\":2147483647}");
        before = Live();
        Refused<AdapterException>("asks for a tensor");
        Assert.Equal(before, Live());
    }

    private void LoadTasks()
    {
        using var bert = TreeHost.Of(TestData.Path("hosts/bert"));
        bert.Load(_folder.Path, [new MTLLoRA()]).Dispose();
    }

    private string Refused<T>(string expected, Action? load = null) where T : Exception
    {
        var clock = Stopwatch.StartNew();
        var message = Assert.Throws<T>(load ?? (() => _llama.Load(_folder.Path, [new LoRA()]).Dispose())).Message;
        Assert.True(clock.Elapsed.TotalSeconds < 5, $"took {clock.Elapsed}");
        Assert.Contains(expected, message, StringComparison.Ordinal);
        Assert.Contains(_folder.Path, message, StringComparison.Ordinal);
        return message;
    }

    private void Set(string field, string value)
    {
        var config = JsonNode.Parse(File.ReadAllText(_folder[Config]))!;
        config[field] = JsonNode.Parse(value);
        File.WriteAllText(_folder[Config], config.ToJsonString());
    }

    private void CopyOf(string name)
    {
        foreach (var old in Directory.EnumerateFileSystemEntries(_folder.Path).ToList())
            if (Directory.Exists(old))
                Directory.Delete(old, recursive: true);
            else
                File.Delete(old);
        var from = TestData.Path("cases", name, "adapter");
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var to = _folder[Path.GetRelativePath(from, file)];
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            File.Copy(file, to);
        }
    }

    private static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
