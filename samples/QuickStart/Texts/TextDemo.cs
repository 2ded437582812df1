using System.Globalization;
using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Generation;
using PeftGen.Models;
using PeftGen.QuickStart.Display;
using PeftGen.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Texts;

/// <summary>Fine-tunes a real Llama on texts and lets it continue a prompt before and after.</summary>
/// <param name="options">What was asked for.</param>
/// <param name="modelFolder">The model's folder.</param>
/// <param name="dataFile">The texts' file.</param>
/// <param name="prompt">What to continue.</param>
/// <param name="screen">Where to show it.</param>
internal sealed class TextDemo(RunOptions options, string modelFolder, string dataFile, string prompt, Screen screen)
{
    private const int DefaultSteps = 30;
    private const int NewTokens = 40;

    private readonly FineTuningMethod _method = options.Method;

    /// <summary>Runs the fine-tuning.</summary>
    /// <param name="cancellation">Stops the training.</param>
    /// <exception cref="QuickStartException">The data or the tokenizer cannot be used.</exception>
    /// <exception cref="CheckpointException">The model cannot be used.</exception>
    public void Run(CancellationToken cancellation)
    {
        // What can be wrong is looked at before the weights are, since reading those takes time.
        var json = HuggingFaceFolder.ReadConfig(modelFolder);
        var config = ReadConfig(json);
        var texts = JsonLines.ReadTexts(dataFile, TextBatches.FewestTexts);
        var tokenizer = HuggingFaceTokenizer.Open(modelFolder);
        var ends = EndTokens(json);
        var batches = new TextBatches(texts, tokenizer.Encode, ends.Count > 0 ? ends[0] : null, options.Seed);
        if (batches.LargestToken >= config.VocabSize)
            throw new QuickStartException($"{modelFolder}: the tokenizer gives token {batches.LargestToken}, the model has {config.VocabSize}. The files belong to different models: copy them again from one.");

        screen.Heading("The model");
        var device = cuda.is_available() ? CUDA : CPU;
        using var model = LlamaForCausalLM.FromPretrained(modelFolder, ElementType(json)).to(device);
        screen.Fact("model", string.Create(CultureInfo.InvariantCulture, $"{nameof(LlamaForCausalLM)} with {config.NumHiddenLayers} layers in {ElementType(json)}, on {device.type}, from {modelFolder}"));
        screen.Fact("texts", $"{batches.TrainingCount} to train on, {batches.KeptCount} kept, from {dataFile}");

        screen.Heading($"The adapter: {_method.Title}");
        using var generator = new Generator((ulong)options.Seed);
        using var adapter = _method.Create(model, options.Rank, generator);
        AdapterTable.Show(screen, adapter.ParameterReport(model));

        var lossBefore = batches.LossOfKept(ids => model.forward(ids), device);
        var continuedBefore = Continue(tokenizer, ends, device, model.forward);
        screen.Heading("Training");
        Train(model, adapter, batches, device, cancellation);
        var lossAfter = batches.LossOfKept(ids => model.forward(adapter, ids), device);

        screen.Heading("Before and after");
        screen.Fact("kept texts", string.Create(CultureInfo.InvariantCulture, $"loss {lossBefore:0.000} before, {lossAfter:0.000} after"));
        screen.Fact("prompt", prompt);
        screen.Fact("before", continuedBefore);
        var continuedAfter = Continue(tokenizer, ends, device, (ids, mask, cache) => model.forward(adapter, ids, mask, cache));
        screen.Fact("after", continuedAfter);
        ShowSaved(model, adapter, continuedAfter, loaded => Continue(tokenizer, ends, device, (ids, mask, cache) => model.forward(loaded, ids, mask, cache)));
        GeneratedCode.Show(screen);
    }

    private void Train(LlamaForCausalLM model, LlamaForCausalLM.Adapter adapter, TextBatches batches, Device device, CancellationToken cancellation)
    {
        var training = new TrainerOptions { Steps = options.Steps ?? DefaultSteps, LearningRate = _method.TextLearningRate };
        model.train();
        adapter.train();
        var curve = screen.Train(training.Steps, progress => Trainer.Run(
            adapter.parameters(),
            training,
            _ =>
            {
                var (ids, labels) = batches.Next(device);
                return CausalLoss.Of(model.forward(adapter, ids), labels);
            },
            progress,
            cancellation));
        adapter.eval();
        model.eval();
        LossCurvePlot.Save(curve, $"{_method.Title} on {Path.GetFileName(dataFile)}", options.LossCurveFile);
        screen.Fact("loss curve", options.LossCurveFile);
    }

    private void ShowSaved(LlamaForCausalLM model, LlamaForCausalLM.Adapter adapter, string continued, Func<LlamaForCausalLM.Adapter, string> continueWith)
    {
        _method.Save(adapter, options.AdapterFolder, modelFolder);
        using var loaded = _method.Load(model, options.AdapterFolder);
        screen.Fact("saved", options.AdapterFolder);
        var same = continueWith(loaded) == continued;
        screen.Check("reloaded", same, same ? "continues the prompt in the same way" : "continues the prompt in another way");
        if (!same) throw new QuickStartException("The reloaded adapter differs from the saved one: that is a defect of PeftGen, please report it with this output.");
    }

    private string Continue(HuggingFaceTokenizer tokenizer, IReadOnlyList<long> ends, Device device, Func<Tensor, Tensor?, KeyValueCache, Tensor> forward)
    {
        using var scope = NewDisposeScope();
        var ids = tensor(tokenizer.Encode(prompt), device: device).unsqueeze(0);
        using var cache = new KeyValueCache();
        return tokenizer.Decode(TextGeneration.Generate((next, mask) => forward(next, mask, cache), ids, null, new() { MaxNewTokens = NewTokens, EndTokens = ends })[0]);
    }

    private LlamaConfig ReadConfig(JsonObject json)
    {
        try
        {
            return LlamaConfig.FromJson(json);
        }
        catch (CheckpointException error)
        {
            throw new QuickStartException($"{modelFolder}: {error.Message}", error);
        }
    }

    /// <summary>One token or several.</summary>
    private static List<long> EndTokens(JsonObject config) => config["eos_token_id"] switch
    {
        JsonArray several => [.. several.Select(token => token!.GetValue<long>())],
        JsonValue one => [one.GetValue<long>()],
        _ => [],
    };

    private static ScalarType ElementType(JsonObject config) =>
        (config["dtype"] ?? config["torch_dtype"])?.ToString() is "bfloat16" ? ScalarType.BFloat16 : ScalarType.Float32;
}
