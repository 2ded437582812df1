using PeftGen.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity.Tests;

/// <summary>The parity program on the recorded cases of this repository, and on cases with one number changed.</summary>
public sealed class ParityTests
{
    private static string Root => Path.Combine(AppContext.BaseDirectory, "data");

    [Fact]
    public void Every_recorded_case_is_met()
    {
        var outcomes = new ParityRun().Run(GoldenCase.Find(Root, []), outcome => TestContext.Current.TestOutputHelper?.WriteLine(outcome.ToString()));
        Assert.All(outcomes.All, outcome => Assert.Equal("ok", outcome.Status));
        Assert.True(outcomes.All.Count >= 20, $"only {outcomes.All.Count} cases are there");
    }

    [Theory]
    [InlineData("lora/llama-regex")]
    [InlineData("ia3/llama")]
    [InlineData("ln_tuning/llama")]
    [InlineData("multi_adapter/three")]
    [InlineData("unipelt/bert_flat")]
    public void One_changed_number_in_any_expected_tensor_is_found(string name)
    {
        using var copy = new CaseCopy(Root, name);
        var run = new ParityRun();
        var original = ReadAll(copy.File("expected.safetensors"));
        foreach (var key in original.Keys.Where(k => !k.StartsWith("input.", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            SafetensorsWriter.Write(copy.File("expected.safetensors"), original.Select(entry => (entry.Key, entry.Key == key ? OneChanged(entry.Value) : entry.Value)));
            var outcome = run.Run(copy.Find(), _ => { }).All.Single();
            Assert.True(outcome.Status == "FAIL", $"{name}: a changed number in {key} went unnoticed: {outcome}");
        }
    }

    [Theory]
    [InlineData("lora/llama-q-v", "case.json", "\"lora_alpha\": 6", "\"lora_alpha\": 7")]
    [InlineData("lora/llama-q-v", "adapter/adapter_config.json", "\"lora_alpha\": 6", "\"lora_alpha\": 7")]
    [InlineData("lora/llama-dropout-eval", "case.json", "\"lora_dropout\": 0.3", "\"lora_dropout\": 0.2")]
    [InlineData("lora/llama-q-v", "case.json", "\"trainable\": 896", "\"trainable\": 897")]
    [InlineData("lora/llama-q-v", "case.json", "\"stored\": 896", "\"stored\": 895")]
    [InlineData("lora/llama-q-v", "case.json", "\"lr\": 0.01", "\"lr\": 0.02")]
    [InlineData("lora/llama-q-v", "case.json", "\"mergeable\": true", "\"mergeable\": false")]
    [InlineData("lora/llama-patterns", "case.json", "\"down_proj\": 6", "\"down_proj\": 5")]
    [InlineData("multi_adapter/three", "case.json", "\"lora_alpha\": 3", "\"lora_alpha\": 4")]
    [InlineData("unipelt/bert_flat", "case.json", "\"prefix_length\": 3", "\"prefix_length\": 4")]
    [InlineData("unipelt/bert_flat", "case.json", "\"trained_parameters\": 2000", "\"trained_parameters\": 2001")]
    public void One_changed_setting_is_found(string name, string file, string from, string to)
    {
        using var copy = new CaseCopy(Root, name);
        var text = File.ReadAllText(copy.File(file));
        Assert.Contains(from, text);
        File.WriteAllText(copy.File(file), text.Replace(from, to, StringComparison.Ordinal));
        Assert.Equal("FAIL", new ParityRun().Run(copy.Find(), _ => { }).All.Single().Status);
    }

    [Theory]
    [InlineData("lora/llama-q-v", "adapter_model.safetensors")]
    [InlineData("unipelt/bert_flat", "adapter.safetensors")]
    public void One_changed_number_in_any_tensor_of_the_adapter_is_found(string name, string file)
    {
        using var copy = new CaseCopy(Root, name);
        var path = copy.File(Path.Combine("adapter", file));
        var run = new ParityRun();
        var original = ReadAll(path);
        foreach (var key in original.Keys)
        {
            SafetensorsWriter.Write(path, original.Select(entry => (entry.Key, entry.Key == key ? OneChanged(entry.Value) : entry.Value)));
            Assert.True(run.Run(copy.Find(), _ => { }).All.Single().Status == "FAIL", $"a changed number in {key} went unnoticed");
        }
    }

    [Fact]
    public void An_unknown_key_fails_the_case()
    {
        using var copy = new CaseCopy(Root, "ia3/llama");
        var tensors = ReadAll(copy.File("expected.safetensors"));
        tensors["perplexity"] = ones(1);
        SafetensorsWriter.Write(copy.File("expected.safetensors"), tensors.Select(t => (t.Key, t.Value)));
        var outcome = new ParityRun().Run(copy.Find(), _ => { }).All.Single();
        Assert.Equal("FAIL", outcome.Status);
        Assert.Contains("perplexity", outcome.Text);
    }

    private static Dictionary<string, Tensor> ReadAll(string path)
    {
        using var file = SafetensorsFile.Open(path);
        return file.Names.ToDictionary(name => name, file.Read);
    }

    /// <summary>A copy with one entry moved by a hundredth of the largest value.</summary>
    private static Tensor OneChanged(Tensor tensor)
    {
        var copy = tensor.clone();
        var flat = copy.view(-1);
        var step = Math.Max(0.01f * copy.abs().max().item<float>(), 1e-4f);
        flat[flat.numel() / 2] += step;
        return copy;
    }
}

/// <summary>One case with its host in a folder of its own.</summary>
internal sealed class CaseCopy : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("peftgen-case-").FullName;
    private readonly string _name;

    public CaseCopy(string root, string name)
    {
        _name = name;
        var golden = GoldenCase.Find(root, [name]).Single();
        Copy(golden.Folder, Path.Combine(_root, "cases", name));
        Copy(golden.HostFolder, Path.Combine(_root, "hosts", Path.GetFileName(golden.HostFolder)));
    }

    public string File(string relative) => Path.Combine(_root, "cases", _name, relative);

    public IEnumerable<GoldenCase> Find() => GoldenCase.Find(_root, []);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static void Copy(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            System.IO.File.Copy(file, target);
        }
    }
}
