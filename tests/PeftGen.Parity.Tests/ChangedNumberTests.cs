namespace PeftGen.Parity.Tests;

/// <summary>The program finds every single number that is not what it was: otherwise its "ok" would say little.</summary>
public sealed class ChangedNumberTests(ChangedNumberTests.Program program) : IClassFixture<ChangedNumberTests.Program>
{
    // What tells how the numbers were made and how far off the reference was: any small number would do there.
    private static readonly string[] OfMaking = ["scale", "seed", "std", "merge_error", "reload_error", "unmerge_drift"];

    [Theory]
    [InlineData("lora/llama-q-v")]
    [InlineData("ln_tuning/llama")]
    [InlineData("ia3/bert")]
    [InlineData("multi_adapter/three")]
    [InlineData("lora/mlp-embedding-linear")]
    [InlineData("lora/clip-both-towers")]
    [InlineData("unipelt/bert_flat")]
    [InlineData("p_tuning/bert_mlp")]
    [InlineData("multitask_prompt_tuning/t5")]
    // One of its gradients is off by more than the tolerance, and float64 sides with ours.
    [InlineData("adapterhub_lora/bert_mtl")]
    public void OfAnExpectedTensorIsFound(string name)
    {
        using var changed = new ChangedCase(name);
        RequireFound(changed, changed.ChangeTensors("expected.safetensors"));
    }

    [Theory]
    [InlineData("lora/llama-bias-all", "adapter/adapter_model.safetensors")]
    [InlineData("lora/llama-trainable-tokens", "adapter/adapter_model.safetensors")]
    [InlineData("multi_adapter/three", "adapter/b/adapter_model.safetensors")]
    [InlineData("unipelt/bert_flat", "adapter/adapter.safetensors")]
    public void OfAnAdapterIsFound(string name, string file)
    {
        using var changed = new ChangedCase(name);
        RequireFound(changed, changed.ChangeTensors(file));
    }

    [Theory]
    [InlineData("lora/llama-patterns", "adapter/adapter_config.json")]
    [InlineData("multi_adapter/three", "adapter/c/adapter_config.json")]
    [InlineData("unipelt/bert_flat", "adapter/adapter_config.json")]
    public void OfAConfigurationIsFound(string name, string file)
    {
        using var changed = new ChangedCase(name);
        RequireFound(changed, changed.ChangeNumbers(file));
    }

    [Theory]
    [InlineData("lora/llama-patterns")]
    [InlineData("multi_adapter/three")]
    [InlineData("unipelt/bert_flat")]
    public void OfTheSettingsIsFound(string name)
    {
        using var changed = new ChangedCase(name);
        RequireFound(changed, changed.ChangeNumbers("case.json", OfMaking));
    }

    [Fact]
    public void AKeyThatNoCheckKnowsIsFound()
    {
        using var changed = new ChangedCase("ln_tuning/llama");
        changed.AddTensor("expected.safetensors", "surprise");
        Assert.Contains("surprise: no check knows this key", Assert.Single(RunAll(changed)).Text, StringComparison.Ordinal);
    }

    [Fact]
    public void AnUnsoundReferenceIsFound()
    {
        using var changed = new ChangedCase("lora/llama-q-v");
        changed.SetNumber("merge_error", 0.5);
        Assert.Contains("merge_error", Assert.Single(RunAll(changed)).Text, StringComparison.Ordinal);
    }

    private IReadOnlyList<Outcome> RunAll(ChangedCase changed) =>
        program.Run.Run([changed.Golden], _ => { }).All.Where(o => o.Status == "FAIL").ToList();

    private void RequireFound(ChangedCase changed, IEnumerable<string> changes)
    {
        Assert.Equal("ok", program.Run.Run(changed.Golden).Status);
        var (count, missed) = (0, new List<string>());
        foreach (var what in changes)
        {
            count++;
            if (program.Run.Run(changed.Golden) is { Status: not "FAIL" } outcome)
                missed.Add($"{what}: {outcome}");
        }

        Assert.NotEqual(0, count);
        Assert.True(missed.Count == 0, string.Join('\n', missed));
    }

    /// <summary>Compiles each declaration once for all cases.</summary>
    public sealed class Program
    {
        public ParityRun Run { get; } = new();
    }
}
