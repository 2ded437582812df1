using System.Diagnostics;

namespace PeftGen.Parity.Tests;

/// <summary>The program as somebody at a prompt uses it.</summary>
public sealed class CommandTests
{
    [Fact]
    public async Task AgreementIsALineACaseAndASum()
    {
        var (code, output, _) = await RunAsync(Goldens.Root, "--filter", "ln_tuning/ll*", "--filter", "ia3/llama");
        Assert.Equal(0, code);
        var lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Matches(@"^ok +ia3/llama +\d+ tensors, largest error \d\.\de-\d\d$", lines[0]);
        Assert.StartsWith("ok", lines[1], StringComparison.Ordinal);
        Assert.Equal("2 passed, 0 failed, 0 skipped", lines[2]);
    }

    [Fact]
    public async Task ADifferenceIsNamedAndMakesTheExitCodeOne()
    {
        using var changed = new ChangedCase("ln_tuning/llama");
        changed.SetNumber("trainable", 161);
        var (code, output, _) = await RunAsync(changed.Root);
        Assert.Equal(1, code);
        Assert.Contains("FAIL", output, StringComparison.Ordinal);
        Assert.Contains("160, expected 161", output, StringComparison.Ordinal);
        Assert.Contains("0 passed, 1 failed, 0 skipped", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task CasesAreListed()
    {
        var (code, output, _) = await RunAsync(Goldens.Root, "--list", "--filter", "multi_adapter/*");
        Assert.Equal(0, code);
        Assert.Equal(["multi_adapter/three", "multi_adapter/with_default"], output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
    }

    [Fact]
    public async Task SourcesAreKept()
    {
        var folder = Directory.CreateTempSubdirectory("peftgen-emit-");
        try
        {
            var (code, _, _) = await RunAsync(Goldens.Root, "--filter", "lora/llama-q-v", "--emit", folder.FullName);
            Assert.Equal(0, code);
            var kept = Path.Combine(folder.FullName, "lora", "llama-q-v");
            Assert.Contains("[LoRA(rank: 4, alpha: 6, targets: \"q_proj,v_proj\")]", File.ReadAllText(Path.Combine(kept, "Declaration.cs")), StringComparison.Ordinal);
            Assert.Contains(Directory.GetFiles(kept), file => Path.GetFileName(file).Contains("LlamaForCausalLM", StringComparison.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("no-such-folder", "")]
    [InlineData("", "no/such-case")]
    public async Task WhatIsNotThereIsSaid(string folder, string filter)
    {
        var (code, _, error) = await RunAsync([Path.Combine(Goldens.Root, folder), .. filter.Length == 0 ? Array.Empty<string>() : ["--filter", filter]]);
        Assert.Equal(2, code);
        Assert.Contains(folder.Length > 0 ? "found no cases/ and hosts/" : "no case matches", error, StringComparison.Ordinal);
    }

    private static async Task<(int code, string output, string error)> RunAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [Path.Combine(AppContext.BaseDirectory, "PeftGen.Parity.dll"), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return (process.ExitCode, await output, await error);
    }
}
