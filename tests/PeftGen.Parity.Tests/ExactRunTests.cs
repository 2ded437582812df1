using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Parity.Tests;

/// <summary>Numbers of a narrow type that differ: float64 decides.</summary>
public sealed class ExactRunTests
{
    [Theory]
    [InlineData(1.01, 0.995, true)]
    [InlineData(1.01, 0.989, false)]
    [InlineData(1.03, 1.0, false)]
    [InlineData(1.0, 1.0, true)]
    public void OursMayBeNoFartherThanARecordedNumberThatIsWithinTheTolerance(double recorded, double ours, bool holds)
    {
        using var scope = NewDisposeScope();
        Assert.Equal(holds, ExactRun.IsNoFarther(tensor(new[] { recorded, 0.5 }), tensor(new[] { ours, 0.5 }), tensor(new[] { 1.0, 0.5 }), 0.02));
    }

    [Fact]
    public void ACaseWithoutAHostIsSkippedWithTheReason()
    {
        using var changed = new ChangedCase("ln_tuning/llama");
        changed.Set("host", "");
        var outcome = new ParityRun().Run(new GoldenCase(changed.Root, "ln_tuning/llama"));
        Assert.Equal(("unsupported", "case.json names no host, so there is no model to adapt"), (outcome.Status, outcome.Text));
    }
}
