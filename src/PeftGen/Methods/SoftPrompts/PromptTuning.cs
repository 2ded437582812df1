using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>Prompt tuning: learned vectors <c>P</c> <c>[length, dim]</c> before the embeddings of the tokens, <c>[P; E(ids)]</c>.</summary>
/// <remarks>Lester, Al-Rfou and Constant, "The Power of Scale for Parameter-Efficient Prompt Tuning", 2021. As HF PEFT's method of the same name; see <see cref="SoftPrompt"/> for masks, labels and positions.</remarks>
/// <param name="length">The number of vectors. Default: 20.</param>
/// <param name="targets">The embedding, see <see cref="TargetList"/>. Default: the input embedding.</param>
[Merges(false)]
public sealed class PromptTuning([InRange(1, 65536)] int length = 20, string targets = "embed") : SoftPrompt(length, targets)
{
    /// <summary>What the vectors start as. Default: random. Files say <c>RANDOM</c> for a text's tokens: what they started as no longer matters there.</summary>
    public PromptStart Start { get; set; }

    /// <summary>The ids of a text, for <see cref="PromptStart.Tokens"/>. Default: none.</summary>
    [InRange(0, int.MaxValue), Requires(nameof(Start), PromptStart.Tokens), Fits(nameof(Targets), Fit.Below, "num_embeddings")]
    public int[] StartTokens { get; set; } = [];

    /// <inheritdoc/>
    public override string PeftType => "PROMPT_TUNING";

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        var (length, targets, submodules, taskType) = ReadCommon(reader);
        return new PromptTuning(length, targets)
        {
            Submodules = submodules, TaskType = taskType,
            Start = reader.Text("prompt_tuning_init") == "SAMPLE_VOCAB" ? PromptStart.Vocabulary : PromptStart.Random,
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        base.WriteConfig(config, targets);
        config.TryAdd("prompt_tuning_init", Start == PromptStart.Vocabulary ? "SAMPLE_VOCAB" : "RANDOM");
        foreach (var field in (string[])["prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs"])
            config.TryAdd(field, null);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        WithCommon(Text(nameof(PromptTuning)).Property(nameof(Start), Start, PromptStart.Random).Property(nameof(StartTokens), StartTokens.Length == 0 ? null : StartTokens));

    internal override Prompt CreatePrompt(Site site, int rows) => new PromptTable(site, rows, this, Start, StartTokens);
}
