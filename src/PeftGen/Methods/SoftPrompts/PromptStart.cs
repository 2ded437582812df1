namespace PeftGen;

/// <summary>What the vectors of a prompt start as.</summary>
public enum PromptStart
{
    /// <summary>Normal with standard deviation 1.</summary>
    Random,

    /// <summary>The embeddings of tokens that are drawn from the whole vocabulary; HF PEFT's <c>SAMPLE_VOCAB</c>.</summary>
    Vocabulary,

    /// <summary>The embeddings of a text's tokens, repeated where there are too few; HF PEFT's <c>TEXT</c>.</summary>
    [Requires(nameof(PromptTuning.StartTokens))]
    Tokens,
}
