namespace PeftGen;

/// <summary>What a <see cref="MultitaskPromptTuning"/> starts as. Where no other is said, the tasks' factors are normal with standard deviation 0.02.</summary>
public enum TaskPromptStart
{
    /// <summary>The shared vectors are normal with standard deviation 1.</summary>
    Random,

    /// <summary>The shared vectors are the embeddings of tokens that are drawn from the whole vocabulary; HF PEFT's <c>SAMPLE_VOCAB</c>.</summary>
    Vocabulary,

    /// <summary>The shared vectors are the embeddings of a text's tokens, repeated where there are too few; HF PEFT's <c>TEXT</c>.</summary>
    [Requires(nameof(MultitaskPromptTuning.StartTokens))]
    Tokens,

    /// <summary>The shared vectors are those of a trained prompt; HF PEFT's <c>ONLY_SOURCE_SHARED</c>.</summary>
    [Requires(nameof(MultitaskPromptTuning.Source))]
    SourceShared,

    /// <summary>The shared vectors of a trained prompt, and the means of its tasks' <c>C</c> and <c>R</c> for the one task; HF PEFT's <c>AVERAGE_SOURCE_TASKS</c>.</summary>
    [Requires(nameof(MultitaskPromptTuning.Source)), Requires(nameof(MultitaskPromptTuning.Tasks), 1)]
    SourceAverage,

    /// <summary>The shared vectors of a trained prompt, and the factor of one of its tasks for the one task; HF PEFT's <c>EXACT_SOURCE_TASK</c>.</summary>
    [Requires(nameof(MultitaskPromptTuning.Source)), Requires(nameof(MultitaskPromptTuning.Tasks), 1)]
    SourceTask,
}
