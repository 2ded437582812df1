using System.Buffers.Binary;
using System.Reflection;
using PeftGen.QuickStart.Display;
using PeftGen.QuickStart.Words;

namespace PeftGen.QuickStart.Tests;

public sealed class WordDemoTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void LoRA_teaches_the_new_task_with_any_seed_and_leaves_the_base_alone(int seed)
    {
        using var output = new Output();
        var outcome = Run(output, "lora", seed);
        Assert.True(outcome.After >= 0.95, $"{outcome}");
        AssertBaseKept(outcome);
        Assert.Equal(["adapter_config.json", "adapter_model.safetensors"], Directory.GetFiles(Path.Combine(output.Folder, "adapter")).Select(Path.GetFileName).Order());
        AssertPicture(Path.Combine(output.Folder, "loss.png"));
    }

    [Fact]
    public void IA3_teaches_it_too()
    {
        using var output = new Output();
        var outcome = Run(output, "ia3", seed: 1);
        Assert.True(outcome.After >= 0.95, $"{outcome}");
        AssertBaseKept(outcome);
    }

    [Fact]
    public async Task A_redirected_run_shows_plain_lines()
    {
        using var output = new Output();
        Assert.Equal(0, await output.Run("--steps", "20", "--rank", "2"));
        Assert.Empty(output.Errors);
        Assert.DoesNotContain(output.Shown, c => char.IsControl(c) && c is not ('\n' or '\r'));
        Assert.All(output.Shown.Split('\n'), line => Assert.Equal(line.TrimEnd(' '), line));
        Assert.Contains("step 20 of 20", output.Shown, StringComparison.Ordinal);
        Assert.Contains("q_proj.lora_A │ [2, 96]", output.Shown, StringComparison.Ordinal);
        Assert.Contains("unmerged      ✓", output.Shown, StringComparison.Ordinal);
    }

    [Fact]
    public void The_same_seed_gives_the_same_adapter()
    {
        using var first = new Output();
        using var second = new Output();
        foreach (var output in new[] { first, second }) Run(output, "lora", seed: 5, steps: 5);
        Assert.Equal(Weights(first), Weights(second));

        static byte[] Weights(Output output) => File.ReadAllBytes(Path.Combine(output.Folder, "adapter", "adapter_model.safetensors"));
    }

    [Fact]
    public void The_generated_code_lies_where_the_program_says()
    {
        var root = typeof(WordDemoTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(data => data.Key == "RepositoryRoot").Value!;
        var code = File.ReadAllText(Path.Combine(root, GeneratedCode.Folder, "PeftGen.Models.LlamaAttention.g.cs"));
        Assert.Contains("adapter.q_proj", code, StringComparison.Ordinal);
    }

    private static WordOutcome Run(Output output, string method, int seed, int? steps = null) =>
        new WordDemo(new RunOptions(FineTuningMethod.All.Single(m => m.Name == method), seed, output.Folder) { Steps = steps }, output.Screen).Run(TestContext.Current.CancellationToken);

    private static void AssertBaseKept(WordOutcome outcome)
    {
        Assert.True(outcome.Before <= 0.05, $"{outcome}");
        Assert.True(outcome.OwnBefore >= 0.95 && outcome.OwnAfter >= 0.95, $"{outcome}");
        Assert.True(outcome.Holds, $"{outcome}");
    }

    private static void AssertPicture(string path)
    {
        var bytes = File.ReadAllBytes(path);
        Assert.Equal("\u0089PNG"u8[2..].ToArray(), bytes[1..4]);
        Assert.Equal((960, 540), (BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(16)), BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(20))));
        // An empty picture of this size takes a few kilobytes.
        Assert.True(bytes.Length > 10_000, $"{bytes.Length} bytes");
    }
}
