namespace PeftGen.Parity.Tests;

/// <summary>What PeftGen computes is what the reference libraries recorded.</summary>
public sealed class RecordedCaseTests(RecordedCaseTests.Program program) : IClassFixture<RecordedCaseTests.Program>
{
    public static TheoryData<string> Cases => Goldens.Cases;

    [Theory]
    [MemberData(nameof(Cases))]
    public void Agrees(string name)
    {
        var outcome = program.Run.Run(new GoldenCase(Goldens.Root, name));
        Assert.True(outcome.Status == "ok", outcome.ToString());
    }

    /// <summary>Compiles each declaration once for all cases.</summary>
    public sealed class Program
    {
        public ParityRun Run { get; } = new();
    }
}
