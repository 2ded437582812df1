using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using PeftGen.Training;
using TorchSharp;

namespace PeftGen.Benchmarks.Serving;

/// <summary>
/// Does a unit of work for every line <c>step</c> on standard input and prints what it took, so that another program can time it in turn with the reference:
/// one line <c>ready {…}</c>, then <c>{"seconds": …, "loss": …, "peak_mib": …}</c> for each step, until <c>quit</c>.
/// </summary>
internal static class ServeCommand
{
    public static Command Command { get; } = Create();

    private static Command Create()
    {
        var defaults = new ServeOptions { Host = "" };
        var host = new Option<string>("--host") { Required = true, Description = "A Llama in a Hugging Face folder." };
        var work = Choice("--work", defaults.Work, "train", "forward", "generate");
        var method = Choice("--method", defaults.Method, "lora", "rslora", "ia3", "prompt", "prefix", "full", "floor", "base");
        var targets = Value("--targets", defaults.Targets, "LoRA's: 'all' linears of a layer, or a list separated by commas.");
        var rank = Value("--rank", defaults.Rank, "LoRA's rank; alpha is twice this.");
        var dropout = Value("--dropout", defaults.Dropout, "LoRA's dropout.");
        var batch = Value("--batch", defaults.Batch, "Rows.");
        var tokens = Value("--tokens", defaults.Tokens, "Tokens a row.");
        var newTokens = Value("--new-tokens", defaults.NewTokens, "Tokens to generate for each row.");
        var adapters = Value("--adapters", defaults.Adapters, "Different adapters over the rows of the batch.");
        var from = new Option<string?>("--adapters-from") { Description = "A folder with saved adapters 0, 1, …" };
        var merged = Value("--merged", false, "Merge the adapter into the base first.");
        var checkpoint = Value("--checkpoint", false, "Compute the blocks again in the backward pass instead of keeping what they computed.");
        var dtype = Choice("--dtype", defaults.Dtype, "float32", "bfloat16");
        var threads = Value("--threads", defaults.Threads, "Threads that torch computes with.");
        var command = new Command("serve", "Does a unit of work for every line 'step' on standard input, and prints the seconds it took.")
            { host, work, method, targets, rank, dropout, batch, tokens, newTokens, adapters, from, merged, checkpoint, dtype, threads };
        command.SetAction(parsed => Serve(new ServeOptions
        {
            Host = parsed.GetRequiredValue(host),
            Work = parsed.GetRequiredValue(work),
            Method = parsed.GetRequiredValue(method),
            Targets = parsed.GetRequiredValue(targets),
            Rank = parsed.GetRequiredValue(rank),
            Dropout = parsed.GetRequiredValue(dropout),
            Batch = parsed.GetRequiredValue(batch),
            Tokens = parsed.GetRequiredValue(tokens),
            NewTokens = parsed.GetRequiredValue(newTokens),
            Adapters = parsed.GetRequiredValue(adapters),
            AdaptersFrom = parsed.GetValue(from),
            Merged = parsed.GetRequiredValue(merged),
            Checkpoint = parsed.GetRequiredValue(checkpoint),
            Dtype = parsed.GetRequiredValue(dtype),
            Threads = parsed.GetRequiredValue(threads),
        }));
        return command;
    }

    private static void Serve(ServeOptions options)
    {
        FreedMemory.Keep();
        torch.set_num_threads(options.Threads);
        torch.random.manual_seed(1);
        using var work = new LlamaWork(options);
        Print("ready ", new { side = "peftgen", trainable = work.Trainable, attach_seconds = work.AttachSeconds });
        for (var line = Console.ReadLine(); line is not null && line.Trim() != "quit"; line = Console.ReadLine())
        {
            var watch = Stopwatch.StartNew();
            var value = work.Unit();
            FreedMemory.Sweep();
            watch.Stop();
            Print("", new { seconds = watch.Elapsed.TotalSeconds, loss = value, peak_mib = Math.Round(PeakBytes() / 1048576.0, 1) });
        }
    }

    /// <summary>The most memory that the process has had.</summary>
    private static long PeakBytes()
    {
        // Process.PeakWorkingSet64 is 0 on some Linux.
        const string Status = "/proc/self/status", Peak = "VmHWM:";
        if (File.Exists(Status) && File.ReadLines(Status).FirstOrDefault(line => line.StartsWith(Peak, StringComparison.Ordinal)) is { } found)
            return 1024 * long.Parse(found[Peak.Length..].Replace("kB", "", StringComparison.Ordinal).Trim(), CultureInfo.InvariantCulture);
        using var process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }

    private static void Print(string start, object value)
    {
        Console.Out.WriteLine(start + JsonSerializer.Serialize(value));
        Console.Out.Flush();
    }

    private static Option<T> Value<T>(string name, T otherwise, string what) => new(name) { Description = what, DefaultValueFactory = _ => otherwise };

    private static Option<string> Choice(string name, string otherwise, params string[] values)
    {
        var option = new Option<string>(name) { DefaultValueFactory = _ => otherwise };
        option.AcceptOnlyFromAmong(values);
        return option;
    }
}
