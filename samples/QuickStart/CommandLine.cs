using System.CommandLine;
using System.CommandLine.Invocation;
using PeftGen.Checkpoints;
using PeftGen.QuickStart.Display;
using PeftGen.QuickStart.Texts;
using PeftGen.QuickStart.Words;
using PeftGen.Training;

namespace PeftGen.QuickStart;

/// <summary>The program's options, and what becomes of its errors.</summary>
internal static class CommandLine
{
    private const int Cancelled = 130;

    /// <summary>Runs the program.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="screen">Where the run is shown.</param>
    /// <param name="errors">Where errors are told.</param>
    /// <returns>The exit code: 0 if all is well, 1 after an error, 130 if the user stopped it.</returns>
    public static async Task<int> RunAsync(string[] args, Screen screen, TextWriter errors)
    {
        var parsed = Build(screen).Parse(args);
        // The list of all options would push the error out of sight.
        if (parsed.Action is ParseErrorAction wrong) wrong.ShowHelp = false;
        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false, Error = errors }).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            await errors.WriteLineAsync("Stopped.").ConfigureAwait(false);
            return Cancelled;
        }
        // What the user can do something about. Anything else is a mistake of this program and keeps its stack trace.
        catch (Exception error) when (error is QuickStartException or CheckpointException or AdapterException or TrainingDivergedException or IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync($"error: {error.Message}").ConfigureAwait(false);
            return 1;
        }
    }

    private static RootCommand Build(Screen screen)
    {
        var method = new Option<string>("--method") { Description = "How to fine-tune.", DefaultValueFactory = _ => "lora" };
        method.AcceptOnlyFromAmong([.. FineTuningMethod.All.Select(m => m.Name)]);
        var seed = Numbers.OfOne(new Option<int>("--seed") { Description = "Of the adapter's random start and of the training data's order.", DefaultValueFactory = _ => 1 });
        var steps = Numbers.OfOne(new Option<int?>("--steps") { Description = "How many times the optimizer steps. [default: 400 with lora and 500 with ia3; 30 with --model]" }, least: 1);
        var rank = Numbers.OfOne(new Option<int?>("--rank") { Description = "LoRA's rank. [default: 8, as declared]" }, least: 1);
        var folder = new Option<string>("--out") { Description = "Where the adapter and the loss curve go.", DefaultValueFactory = _ => "out/quickstart" };
        var model = new Option<string?>("--model") { Description = "A Llama as Hugging Face stores it (config.json, safetensors, tokenizer.json), instead of the small base. Needs --data." };
        var data = new Option<string?>("--data") { Description = "What to train on: a file with one JSON object a line, each with a field \"text\"." };
        var prompt = new Option<string>("--prompt") { Description = "With --model: what to continue before and after training.", DefaultValueFactory = _ => "Once upon a time" };
        var root = new RootCommand("Fine-tunes a Llama through an adapter that PeftGen compiled into its class. Without options: teaches a small base, which comes along, to reverse words.")
        {
            method, seed, steps, rank, folder, model, data, prompt,
        };
        root.Validators.Add(result =>
        {
            if (result.GetValue(model) is null != result.GetValue(data) is null) result.AddError("--model and --data belong together: give both, or neither for the small base.");
        });
        root.Validators.Add(result =>
        {
            if (result.GetResult(rank) is { Implicit: false } && result.GetValue(method) == "ia3") result.AddError("--rank: (IA)³ has no rank, it scales activations by one vector a layer. Leave the option out, or use --method lora.");
        });
        prompt.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is { Length: 0 }) result.AddError("--prompt is empty, expected a text to continue.");
        });
        root.SetAction((result, cancellation) => Task.Run(
            () =>
            {
                var options = new RunOptions(FineTuningMethod.All.Single(m => m.Name == result.GetRequiredValue(method)), result.GetRequiredValue(seed), result.GetRequiredValue(folder))
                {
                    Steps = result.GetValue(steps),
                    Rank = result.GetValue(rank),
                };
                options.MakeOutputFolder();
                if (result.GetValue(model) is { } real) new TextDemo(options, real, result.GetValue(data)!, result.GetRequiredValue(prompt), screen).Run(cancellation);
                else new WordDemo(options, screen).Run(cancellation);
                return 0;
            },
            cancellation));
        root.Subcommands.Add(BuildPretraining(screen));
        return root;
    }

    private static Command BuildPretraining(Screen screen)
    {
        var folder = new Option<string>("--out") { Description = "Where the base's folder goes.", Required = true };
        var steps = Numbers.OfOne(new Option<int?>("--steps") { Description = $"How many batches. [default: {Pretraining.DefaultSteps}]" }, least: 1);
        var seed = Numbers.OfOne(new Option<int>("--seed") { Description = "Of the start and of the words.", DefaultValueFactory = _ => 0 });
        var command = new Command("pretrain", "Makes the small base from nothing, as samples/QuickStart/base was made.") { folder, steps, seed };
        command.SetAction((result, cancellation) => Task.Run(
            () =>
            {
                Pretraining.Run(result.GetRequiredValue(folder), result.GetValue(steps) ?? Pretraining.DefaultSteps, result.GetRequiredValue(seed), screen, cancellation);
                return 0;
            },
            cancellation));
        return command;
    }
}
