namespace PeftGen.Checkpoints;

/// <summary>What loading a folder did beside copying each tensor to its own name.</summary>
/// <param name="Ignored">Names in the folder that were not read.</param>
/// <param name="Fresh">Names in the model that the folder has not, and that keep their values.</param>
/// <param name="Notes">The same in sentences, for a log; empty: all names met.</param>
public sealed record LoadedWeights(IReadOnlyList<string> Ignored, IReadOnlyList<string> Fresh, IReadOnlyList<string> Notes);
