using System.CommandLine;
using System.CommandLine.Invocation;
using PeftGen.Checkpoints;
using PeftGen.QuickStart;
using PeftGen.QuickStart.Display;
using PeftGen.Training;

namespace PeftGen.FewShot;

/// <summary>The program's options, and what becomes of its errors.</summary>
internal static class CommandLine
{
    private const int Cancelled = 130;

    /// <summary>Runs the program.</summary>
    /// <param name="args">The arguments.</param>
    /// <param name="screen">Where the comparison is shown.</param>
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
            await errors.WriteLineAsync("Stopped. The same command goes on where it was.").ConfigureAwait(false);
            return Cancelled;
        }
        // What the user can do something about. Anything else is a mistake of this program and keeps its stack trace.
        catch (Exception error) when (error is FewShotException or CheckpointException or AdapterException or TrainingDivergedException or IOException or UnauthorizedAccessException)
        {
            await errors.WriteLineAsync($"error: {error.Message}").ConfigureAwait(false);
            return 1;
        }
    }

    private static RootCommand Build(Screen screen)
    {
        var model = new Option<string>("--model") { Description = "A BERT as Hugging Face stores it (config.json, safetensors, vocab.txt), for example MiniLM.", Required = true };
        var data = new Option<string>("--data") { Description = "Rated sentences, one a line: a number below or above zero, a tab, the sentence.", Required = true };
        var testData = new Option<string?>("--test-data") { Description = "Sentences to test on, in a file of the same form. [default: a part of --data]" };
        var testSentences = Numbers.OfOne(new Option<int>("--test-sentences") { Description = "How many sentences of --data are kept for the test.", DefaultValueFactory = _ => 1000 }, least: 1);
        var methods = new Option<string[]>("--methods") { Description = "What to compare.", DefaultValueFactory = _ => [.. FineTuningMethod.All.Select(method => method.Name)], AllowMultipleArgumentsPerToken = true };
        methods.AcceptOnlyFromAmong([.. FineTuningMethod.All.Select(method => method.Name)]);
        var sizes = Numbers.OfSeveral(new Option<int[]>("--k") { Description = "How many sentences to train on.", DefaultValueFactory = _ => [100, 500, 1000] }, least: 1);
        var seeds = Numbers.OfSeveral(new Option<int[]>("--seeds") { Description = "Each draws training sentences of its own, and all else that is random.", DefaultValueFactory = _ => [1, 2, 3] });
        var folder = new Option<string>("--out") { Description = "Where results, table and picture go. Runs whose results are there are not done again.", DefaultValueFactory = _ => "out/few-shot" };
        var root = new RootCommand("Compares methods of fine-tuning a BERT on few sentences: a table, a picture, and every run's result.") { model, data, testData, testSentences, methods, sizes, seeds, folder };
        root.SetAction((result, cancellation) => Task.Run(
            () =>
            {
                var names = result.GetRequiredValue(methods).ToHashSet();
                new Comparison(
                    new CompareOptions(result.GetRequiredValue(model), result.GetRequiredValue(data), result.GetRequiredValue(folder))
                    {
                        TestData = result.GetValue(testData),
                        TestSentences = result.GetRequiredValue(testSentences),
                        Methods = [.. FineTuningMethod.All.Where(method => names.Contains(method.Name))],
                        Sizes = [.. result.GetRequiredValue(sizes).Distinct()],
                        Seeds = [.. result.GetRequiredValue(seeds).Distinct()],
                    },
                    screen).Run(cancellation);
                return 0;
            },
            cancellation));
        return root;
    }
}
