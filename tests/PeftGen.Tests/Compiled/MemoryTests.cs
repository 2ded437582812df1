using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>Counts of this thread, so other tests and the finalizer do not enter: what is not disposed stays counted.</summary>
/// <remarks>
/// By themselves, as those of the generator: TorchSharp may free a number on its way to native code if the collector runs just then, and thousands of steps beside
/// other tests meet that.
/// </remarks>
[Collection(nameof(TorchGenerator))]
public sealed class MemoryTests
{
    [Fact]
    public void At_step_2000_as_many_tensors_live_as_at_step_200()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter();
        var live = new Dictionary<int, long>();
        Proof.Train(model, adapter, tokens, 2000, step => live[step] = Live());
        Assert.Equal(live[200], live[2000]);
    }

    [Theory]
    [InlineData("lora")]
    [InlineData("ia3")]
    [InlineData("ln")]
    [InlineData("merged")]
    [InlineData("bf16")]
    public void A_call_leaves_only_its_result(string what)
    {
        using var model = new ProofModel();
        if (what == "bf16")
            model.to(ScalarType.BFloat16);
        using var tokens = Proof.Tokens();
        using var lora = model.CreateAdapter();
        using var ia3 = model.CreateIa3Adapter();
        using var ln = model.CreateLnAdapter();
        if (what == "merged")
            lora.MergeInto(model);
        ProofModel.Adapter adapter = what switch { "ia3" => ia3, "ln" => ln, _ => lora };
        model.forward(adapter, tokens).Dispose();
        var before = Live();
        for (var i = 0; i < 20; i++)
            model.forward(adapter, tokens).Dispose();
        Assert.Equal(before, Live());
    }

    [Fact]
    public void Merging_and_unmerging_leave_nothing()
    {
        using var model = new ProofModel();
        using var adapter = model.CreateAdapter();
        void Round()
        {
            adapter.MergeInto(model);
            adapter.UnmergeFrom(model);
        }

        Round();
        var before = Live();
        for (var i = 0; i < 5; i++)
            Round();
        Assert.Equal(before, Live());
    }

    [Fact]
    public void A_disposed_adapter_leaves_nothing()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        void Round()
        {
            using var generator = Proof.Seed(1);
            using var adapter = model.CreateAdapter(generator: generator);
            model.forward(adapter, tokens).Dispose();
        }

        Round();
        var before = Live();
        for (var i = 0; i < 5; i++)
            Round();
        Assert.Equal(before, Live());
    }

    private static long Live() => DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
}
