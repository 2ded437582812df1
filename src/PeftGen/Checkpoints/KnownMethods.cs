namespace PeftGen.Checkpoints;

/// <summary>The methods of this library that a file can be of. Methods of a user's own need no entry: a model that declares them reads their files.</summary>
internal static class KnownMethods
{
    /// <summary>One instance of each; only <see cref="AdaptAttribute.Reads"/> and <see cref="AdaptAttribute.ReadConfig"/> are asked.</summary>
    public static IReadOnlyList<AdaptAttribute> All { get; } =
    [
        new LoRA(), new MTLLoRA(), new IA3(), new LNTuning(), new BitFit(), new TrainableTokens([]), new PrefixTuning(), new AdaptionPrompt(), new Bottleneck(), new Compacter(), new Invertible(), new LoReFT(), new NoReFT(), new DiReFT(),
        new PromptTuning(), new PTuning(), new MultitaskPromptTuning(), new EmbeddedPrompt(),
    ];
}
