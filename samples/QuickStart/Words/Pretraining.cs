using System.Globalization;
using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
using PeftGen.Models;
using PeftGen.QuickStart.Display;
using PeftGen.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Words;

/// <summary>Makes the small base from nothing.</summary>
internal static class Pretraining
{
    /// <summary>Steps that learn all known tasks.</summary>
    public const int DefaultSteps = 3500;

    private const int Layers = 4;
    private const int BatchSize = 128;

    /// <summary>The base's configuration, as <c>config.json</c> has it.</summary>
    public static JsonObject Config() => JsonNode.Parse($$"""
        {
          "architectures": ["LlamaForCausalLM"],
          "model_type": "llama",
          "vocab_size": {{WordVocabulary.Size}},
          "hidden_size": 96,
          "intermediate_size": 192,
          "num_hidden_layers": {{Layers}},
          "num_attention_heads": 4,
          "num_key_value_heads": 4,
          "head_dim": 24,
          "hidden_act": "silu",
          "rms_norm_eps": 1e-5,
          "rope_theta": 10000.0,
          "max_position_embeddings": 64,
          "attention_bias": false,
          "mlp_bias": false,
          "tie_word_embeddings": false,
          "pad_token_id": {{WordVocabulary.Id(WordVocabulary.Padding)}},
          "eos_token_id": {{WordVocabulary.Id(WordVocabulary.End)}}
        }
        """)!.AsObject();

    /// <summary>Trains all parameters on the known tasks, examines them and writes a Hugging Face folder.</summary>
    /// <param name="folder">Where to write.</param>
    /// <param name="steps">How many batches.</param>
    /// <param name="seed">Of the start and of the words.</param>
    /// <param name="screen">Where to show it.</param>
    /// <param name="cancellation">Stops it.</param>
    public static void Run(string folder, int steps, int seed, Screen screen, CancellationToken cancellation)
    {
        set_num_threads(1);
        _ = manual_seed(seed);
        using var model = new LlamaForCausalLM(LlamaConfig.FromJson(Config()));
        Start(model);
        model.train();
        var words = new WordSource(seed);
        var options = new TrainerOptions { Steps = steps, LearningRate = 3e-3, WeightDecay = 0.01, Schedule = Schedules.Cosine(0.03) };
        screen.Train(steps, progress => Trainer.Run(
            model.parameters(),
            options,
            _ =>
            {
                var batch = WordBatch.Of([.. Enumerable.Range(0, BatchSize).Select(_ => words.AnyOf(WordTask.Known).Line(words.ForTraining()))]);
                return CausalLoss.Of(model.forward(batch.Ids, batch.Mask), batch.Labels);
            },
            progress,
            cancellation));
        model.eval();
        HuggingFaceFolder.Save(folder, model, Config());
        var answers = new WordExam(WordTask.Known, 100 * WordTask.Known.Count).Ask(model.forward);
        foreach (var task in WordTask.Known)
            screen.Fact(task.Name, string.Create(CultureInfo.InvariantCulture, $"{100 * WordExam.Score([.. answers.Where(answer => answer.Question[0] == task.Symbol)]):0.0} % right"));
        screen.Fact("written", folder);
    }

    /// <summary>Normal with a standard deviation of 0.02, smaller where a sum over all layers would grow with their number.</summary>
    private static void Start(LlamaForCausalLM model)
    {
        foreach (var (name, parameter) in model.named_parameters().Where(p => p.parameter.dim() == 2))
        {
            var addsToResidual = name.EndsWith("o_proj.weight", StringComparison.Ordinal) || name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            _ = nn.init.normal_(parameter, 0, addsToResidual ? 0.02 / Math.Sqrt(2 * Layers) : 0.02);
        }
    }
}
