using PeftGen.Checkpoints;
using PeftGen.Generation;
using PeftGen.Models;
using PeftGen.QuickStart.Texts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Tests;

/// <summary>SmolLM2 itself. The tests run where the environment variable PEFTGEN_MODELS names a folder with <c>smollm2-135m</c>.</summary>
public sealed class RealModelTests
{
    /// <summary>A file of the tokenizer that was cut down for the tests.</summary>
    public static string TokenizerPart(string name) => Recorded(Path.Combine("smollm2-tokenizer-part", name));

    /// <summary>A file with numbers of the reference.</summary>
    public static string Recorded(string name) => Path.Combine(AppContext.BaseDirectory, "data", "real", name);

    [Fact]
    public void An_adapter_that_PEFT_trained_gives_what_PEFT_gave()
    {
        using var model = LlamaForCausalLM.FromPretrained(Folder());
        using var adapter = model.LoadAdapter(Recorded("smollm2-lora-adapter"));
        using var expected = SafetensorsFile.Open(Recorded("smollm2-lora.safetensors"));
        using var noGradients = no_grad();
        for (var prompt = 0; prompt < 4; prompt++)
        {
            using var scope = NewDisposeScope();
            var ids = expected.Read($"{prompt}.input_ids").to(ScalarType.Int64).unsqueeze(0);
            var logits = model.forward(adapter, ids)[0];
            AssertClose(expected.Read($"{prompt}.last_logits"), logits[-1][TensorIndex.Slice(step: 64)]);
            AssertClose(expected.Read($"{prompt}.token_losses"), nn.functional.cross_entropy(logits[..^1], ids[0][1..], reduction: nn.Reduction.None));
            using var cache = new KeyValueCache();
            var generated = TextGeneration.Generate((i, m) => model.forward(adapter, i, m, cache), ids, null, new() { MaxNewTokens = 24, EndTokens = [2] })[0];
            Assert.Equal(expected.Read($"{prompt}.generated").to(ScalarType.Int64).data<long>().ToArray(), generated);
        }
    }

    [Fact]
    public void The_whole_tokenizer_gives_what_its_part_gives()
    {
        var (whole, part) = (HuggingFaceTokenizer.Open(Folder()), HuggingFaceTokenizer.Open(Path.GetDirectoryName(TokenizerPart("tokenizer.json"))!));
        Assert.All(JsonLines.ReadTexts(NonEmptyTexts(), atLeast: 100), text => Assert.Equal(part.Encode(text), whole.Encode(text)));
    }

    [Fact]
    public async Task A_bf16_model_learns_from_texts()
    {
        using var output = new Output();
        var data = output.Write("data.jsonl", [.. Enumerable.Range(0, 12).Select(i => $"{{\"text\": \"Captain number {i} said: ahoy!\"}}")]);
        Assert.Equal(0, await output.Run("--model", Folder(), "--data", data, "--steps", "4", "--prompt", "Captain number 20 said:"));
        Assert.Contains("in BFloat16", output.Shown, StringComparison.Ordinal);
        var losses = output.Shown.Split('\n').Single(line => line.StartsWith("kept texts", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(double.Parse(losses[5], null) < double.Parse(losses[3], null), string.Join(' ', losses));
        Assert.Contains("reloaded      ✓", output.Shown, StringComparison.Ordinal);
    }

    private static string NonEmptyTexts()
    {
        var path = Path.Combine(AppContext.BaseDirectory, "texts.jsonl");
        File.WriteAllLines(path, File.ReadLines(Recorded("tokens-smollm2-135m.jsonl")).Where(line => !line.Contains("\"text\": \"\"", StringComparison.Ordinal)));
        return path;
    }

    private static void AssertClose(Tensor expected, Tensor found)
    {
        var difference = (expected - found).abs().max().item<float>();
        var allowed = 1e-4f * expected.abs().max().item<float>();
        Assert.True(difference <= allowed, $"differs by {difference}, allowed is {allowed}");
    }

    private static string Folder()
    {
        var models = Environment.GetEnvironmentVariable("PEFTGEN_MODELS");
        Assert.SkipWhen(string.IsNullOrEmpty(models), "set PEFTGEN_MODELS to a folder with the real models");
        return Path.Combine(models!, "smollm2-135m");
    }
}
