using System.Text.Json.Nodes;
using PeftGen.Models;
using PeftGen.Training;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Words;

/// <summary>Makes the small base from nothing.</summary>
internal static class Pretraining
{
    /// <summary>The base's configuration, as <c>config.json</c> has it.</summary>
    public static JsonObject Config() => JsonNode.Parse($$"""
        {
          "architectures": ["LlamaForCausalLM"],
          "model_type": "llama",
          "vocab_size": {{WordVocabulary.Size}},
          "hidden_size": 96,
          "intermediate_size": 192,
          "num_hidden_layers": 4,
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

    /// <summary>Trains all parameters on the known tasks.</summary>
    /// <param name="steps">How many batches.</param>
    /// <param name="seed">Of the start and of the words.</param>
    /// <param name="progress">Told after every step.</param>
    public static LlamaForCausalLM Run(int steps, int seed, Action<LlamaForCausalLM, TrainingProgress>? progress = null)
    {
        _ = manual_seed(seed);
        var model = new LlamaForCausalLM(LlamaConfig.FromJson(Config()));
        foreach (var (name, parameter) in model.named_parameters())
            if (parameter.dim() == 2) nn.init.normal_(parameter, 0, name.EndsWith("o_proj.weight", StringComparison.Ordinal) || name.EndsWith("down_proj.weight", StringComparison.Ordinal) ? 0.02 / Math.Sqrt(8) : 0.02);
        model.train();
        var words = new WordSource(seed);
        Trainer.Run(model.parameters(), new TrainerOptions { Steps = steps, LearningRate = 3e-3, WeightDecay = 0.01, Schedule = Schedules.Cosine(0.03) }, _ =>
        {
            var batch = WordBatch.Of([.. Enumerable.Range(0, 128).Select(_ => words.AnyOf(WordTask.Known).Line(words.ForTraining()))]);
            return CausalLoss.Of(model.forward(batch.Ids, batch.Mask), batch.Labels);
        }, p => progress?.Invoke(model, p));
        model.eval();
        return model;
    }
}
