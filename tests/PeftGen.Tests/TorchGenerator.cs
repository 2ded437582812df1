namespace PeftGen.Tests;

/// <summary>
/// The tests that draw from torch's own generator, which the whole process shares, or put it back: they run by themselves, so that no other test draws between.
/// </summary>
[CollectionDefinition(nameof(TorchGenerator), DisableParallelization = true)]
public sealed class TorchGenerator;
