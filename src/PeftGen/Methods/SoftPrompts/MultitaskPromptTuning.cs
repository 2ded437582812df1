using System.Text.Json.Nodes;
using PeftGen.Checkpoints;
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
    private const string InitField = "prompt_tuning_init", SourceField = "prompt_tuning_init_state_dict_path", TaskField = "prompt_tuning_init_task";

    private static readonly Dictionary<TaskPromptStart, string> Inits = new()
    {
        [TaskPromptStart.Random] = "RANDOM",
        [TaskPromptStart.Vocabulary] = "SAMPLE_VOCAB",
        [TaskPromptStart.SourceShared] = "ONLY_SOURCE_SHARED",
        [TaskPromptStart.SourceAverage] = "AVERAGE_SOURCE_TASKS",
        [TaskPromptStart.SourceTask] = "EXACT_SOURCE_TASK",
    };

    /// <summary>The number of tasks.</summary>
    public int Tasks { get; } = tasks;

    /// <summary>The rank of a task's factor.</summary>
    public int Rank { get; } = rank;

    /// <summary>What it starts as. Default: random. Files say <c>RANDOM</c> for a text's tokens: what they started as no longer matters there.</summary>
    public TaskPromptStart Start { get; set; }

    /// <summary>The ids of a text, for <see cref="TaskPromptStart.Tokens"/>. Default: none.</summary>
    [InRange(0, int.MaxValue), Requires(nameof(Start), TaskPromptStart.Tokens), Fits(nameof(Targets), Fit.Below, "num_embeddings")]
    public int[] StartTokens { get; set; } = [];

    /// <summary>
    /// The trained prompt to start from, for the starts that take one: a folder that this library or HF PEFT saved, or a safetensors file. Of another length, number of submodules or, where factors are taken, rank it is
    /// refused. It is read when an adapter is created, and no more when one is loaded. Default: none.
    /// </summary>
    [Requires(nameof(Start), TaskPromptStart.SourceShared, TaskPromptStart.SourceAverage, TaskPromptStart.SourceTask)]
    public string? Source { get; set; }

    /// <summary>Whose factor of the trained prompt's tasks to take, for <see cref="TaskPromptStart.SourceTask"/>, from 0. Default: 0.</summary>
    [InRange(0, 65535), OnlyWith(nameof(Start), TaskPromptStart.SourceTask)]
    public int SourceTask { get; set; }

    /// <inheritdoc/>
    public override string PeftType => "MULTITASK_PROMPT_TUNING";

    /// <inheritdoc/>
    public override AdaptAttribute ReadConfig(JsonObject config)
    {
        var reader = new ConfigReader(config);
        var (length, targets, submodules, taskType) = ReadCommon(reader);
        var start = StartOf(reader.Text(InitField));
        return new MultitaskPromptTuning(length, reader.Size("num_tasks", 1), reader.Size("num_ranks", 1), targets)
        {
            Submodules = submodules, TaskType = taskType,
            Start = start, Source = TakesSource(start) ? reader.Text(SourceField) : null, SourceTask = start == TaskPromptStart.SourceTask ? reader.Int(TaskField, 0) : 0,
        };
    }

    /// <inheritdoc/>
    public override void WriteConfig(JsonObject config, IReadOnlyDictionary<Claim, IReadOnlyList<string>> targets)
    {
        base.WriteConfig(config, targets);
        config["num_tasks"] = Tasks;
        config["num_ranks"] = Rank;
        config.TryAdd(InitField, Inits.GetValueOrDefault(Start, Inits[TaskPromptStart.Random]));
        config.TryAdd(SourceField, Source is null ? null : AdapterFolder.SourceFile(Source));
        config.TryAdd(TaskField, SourceTask);
        foreach (var field in (string[])["prompt_tuning_init_text", "tokenizer_name_or_path", "tokenizer_kwargs"])
            config.TryAdd(field, null);
    }

    /// <inheritdoc/>
    public override string ToString() => WithCommon(Text(nameof(MultitaskPromptTuning)).Argument("tasks", Tasks, 1).Argument("rank", Rank, 1)
        .Property(nameof(Start), Start, TaskPromptStart.Random).Property(nameof(StartTokens), StartTokens.Length == 0 ? null : StartTokens)
        .Property(nameof(Source), Source).Property(nameof(SourceTask), SourceTask, 0));

    internal override PromptRoom Room => Submodules == 2 ? PromptRoom.TokensAndDecoder : PromptRoom.Tokens;

    internal override Prompt CreatePrompt(Site site, int rows)
    {
        if (Tasks < 1 || Rank < 1)
            throw new AdapterException($"{this}: tasks is {Tasks} and rank {Rank}, expected at least 1 each.");
        if (TakesSource(Start) != Source is not null)
            throw new AdapterException($"{this}: Start is {Start} and Source is {(Source is null ? "not set" : $"\"{Source}\"")}. Set both, one of the starts from a source and its folder, or neither.");
        if (Start is TaskPromptStart.SourceAverage or TaskPromptStart.SourceTask && Tasks > 1)
            throw new AdapterException($"{this}: Start is {Start}, which gives one task its factor, and there are {Tasks} tasks. Set tasks to 1, or start from SourceShared.");
        return new TaskPrompts(site, rows, this);
    }

    private static bool TakesSource(TaskPromptStart start) => start is TaskPromptStart.SourceShared or TaskPromptStart.SourceAverage or TaskPromptStart.SourceTask;

    private static TaskPromptStart StartOf(string? init) => init switch
    {
        // Files have what a text became.
        null or "TEXT" => TaskPromptStart.Random,
        _ when Inits.ContainsValue(init) => Inits.First(pair => pair.Value == init).Key,
        _ => throw new AdapterException($"'{InitField}' is \"{init}\", expected one of TEXT, {string.Join(", ", Inits.Values)}."),
    };
}
