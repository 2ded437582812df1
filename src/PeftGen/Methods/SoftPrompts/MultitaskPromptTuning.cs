using System.Text.Json.Nodes;
using PeftGen.Methods;

namespace PeftGen;

/// <summary>
/// Multitask prompt tuning: a prompt <c>P</c> <c>[length, dim]</c> that all tasks share, times a factor of low rank that each task has of its own: <c>P ∘ (C_t R_t)</c>,
/// with <c>C_t</c> <c>[length, rank]</c> and <c>R_t</c> <c>[rank, dim]</c>.
/// </summary>
/// <remarks>
/// Wang et al., "Multitask Prompt Tuning Enables Parameter-Efficient Transfer Learning", 2023; as HF PEFT's method of the same name; see <see cref="SoftPrompt"/> for masks, labels and positions.
/// Each call says its rows' tasks in <see cref="ForwardOptions.TaskIds"/>. With <see cref="SoftPrompt.Submodules"/> 2 the second half of <c>2 · length</c> vectors is put before what a decoder is fed: its outputs
/// then have <c>length</c> positions more, which get labels −100.
/// </remarks>
/// <param name="length">The number of vectors. Default: 20.</param>
/// <param name="tasks">The number of tasks. Default: 1.</param>
/// <param name="rank">The rank of a task's factor. Default: 1.</param>
/// <param name="targets">The embedding, see <see cref="TargetList"/>. Default: the input embedding.</param>
[Merges(false)]
public sealed class MultitaskPromptTuning([InRange(1, 65536)] int length = 20, [InRange(1, 65536)] int tasks = 1, [InRange(1, 65536)] int rank = 1, string targets = "embed") : SoftPrompt(length, targets)
{
    /// <summary>The number of tasks.</summary>
    public int Tasks { get; } = tasks;

    /// <summary>The rank of a task's factor.</summary>
    public int Rank { get; } = rank;

    /// <inheritdoc/>
    public override string PeftType => "MULTITASK_PROMPT_TUNING";

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        var (length, targets, submodules, taskType) = ReadCommon(reader);
        return new MultitaskPromptTuning(length, reader.Int("num_tasks", 1), reader.Int("num_ranks", 1), targets) { Submodules = submodules, TaskType = taskType };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        base.WriteConfig(config, targets);
        config["num_tasks"] = Tasks;
        config["num_ranks"] = Rank;
        config.TryAdd("prompt_tuning_init", "RANDOM");
        config.TryAdd("prompt_tuning_init_task", 0);
        foreach (var field in (string[])["prompt_tuning_init_text", "prompt_tuning_init_state_dict_path", "tokenizer_name_or_path", "tokenizer_kwargs"])
            config.TryAdd(field, null);
    }

    /// <inheritdoc/>
    public override string ToString() => WithCommon(Text(nameof(MultitaskPromptTuning)).Argument("tasks", Tasks, 1).Argument("rank", Rank, 1));

    internal override PromptRoom Room => Submodules == 2 ? PromptRoom.TokensAndDecoder : PromptRoom.Tokens;

    internal override Prompt CreatePrompt(Site site, int rows)
    {
        if (Tasks < 1 || Rank < 1)
            throw new AdapterException($"{this}: tasks is {Tasks} and rank {Rank}, expected at least 1 each.");
        return new TaskPrompts(site, rows, this);
    }
}
