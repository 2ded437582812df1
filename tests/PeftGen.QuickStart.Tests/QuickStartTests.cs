using PeftGen.QuickStart.Display;
using PeftGen.QuickStart.Words;

namespace PeftGen.QuickStart.Tests;

/// <summary>The main job, as a user runs it.</summary>
public sealed class QuickStartTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("peftgen-quickstart-").FullName;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void LoRA_teaches_the_base_what_it_cannot_do_and_leaves_it_as_it_was(int seed)
    {
        var outcome = Run("lora", seed);
        Assert.True(outcome.Before <= 0.05, $"before: {outcome.Before:P1}");
        Assert.True(outcome.After >= 0.95, $"after: {outcome.After:P1}");
        Assert.True(outcome.OwnBefore >= 0.95 && outcome.OwnAfter >= 0.95, $"own tasks: {outcome.OwnBefore:P1}, {outcome.OwnAfter:P1}");
        Assert.True(outcome.Holds, outcome.ToString());
        Assert.Equal([0x89, 0x50, 0x4E, 0x47], File.ReadAllBytes(Path.Combine(_folder, "loss.png"))[..4]);
        Assert.True(File.Exists(Path.Combine(_folder, "adapter", "adapter_model.safetensors")));
    }

    [Fact]
    public void IA3_teaches_it_too()
    {
        var outcome = Run("ia3", 1);
        Assert.True(outcome.After >= 0.9, $"after: {outcome.After:P1}");
        Assert.True(outcome.Holds, outcome.ToString());
    }

    [Fact]
    public async Task Mistakes_of_the_user_get_one_clear_line_and_exit_code_1()
    {
        var data = Path.Combine(_folder, "bad.jsonl");
        await File.WriteAllTextAsync(data, "{\"text\": \"fine\"}\n{bad\n", TestContext.Current.CancellationToken);
        var model = Path.Combine(_folder, "bert");
        Directory.CreateDirectory(model);
        await File.WriteAllTextAsync(Path.Combine(model, "config.json"), "{\"model_type\": \"bert\"}", TestContext.Current.CancellationToken);

        Assert.Contains("there is no such folder", await Error("--model", Path.Combine(_folder, "nowhere"), "--data", data));
        Assert.Contains("bad.jsonl, line 2", await Error("--model", Path.Combine(AppContext.BaseDirectory, "base"), "--data", data));
        Assert.Contains("expected llama", await Error("--model", model, "--data", data));
    }

    private WordOutcome Run(string method, int seed) =>
        new WordDemo(new RunOptions(FineTuningMethod.All.Single(m => m.Name == method), seed, _folder), Screen.OfConsole()).Run(TestContext.Current.CancellationToken);

    private static async Task<string> Error(params string[] args)
    {
        var before = Console.Error;
        using var error = new StringWriter();
        Console.SetError(error);
        try
        {
            Assert.Equal(1, await CommandLine.RunAsync(args));
        }
        finally
        {
            Console.SetError(before);
        }

        return error.ToString();
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
