using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>Merging waits for calls that run, and they for merging.</summary>
public sealed class MergeWhileRunningTests
{
    [Fact]
    public async Task Calls_beside_merging_and_unmerging_give_what_the_adapter_gives()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter();
        model.eval();
        adapter.eval();
        Proof.Randomize(adapter);
        var expected = Values(model, adapter, tokens);
        Assert.False(expected.SequenceEqual(Values(model, null, tokens)));

        using var done = new CancellationTokenSource();
        var wrong = 0;
        var calls = Enumerable.Range(0, 3).Select(_ => Task.Factory.StartNew(
            () =>
            {
                var count = 0;
                for (; !done.IsCancellationRequested || count == 0; count++)
                    if (Values(model, adapter, tokens).Zip(expected).Any(pair => Math.Abs(pair.First - pair.Second) > 1e-4))
                        Interlocked.Increment(ref wrong);
                return count;
            },
            TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToList();
        for (var i = 0; i < 100; i++)
        {
            adapter.MergeInto(model);
            adapter.UnmergeFrom(model);
        }

        await done.CancelAsync();
        var counts = await Task.WhenAll(calls);
        Assert.All(counts, count => Assert.True(count > 0));
        Assert.Equal(0, wrong);
    }

    [Fact]
    public async Task Merging_waits_for_a_call_and_calls_wait_for_merging()
    {
        using var model = new TinyModel();
        var record = new BaseRecord();
        using var adapter = model.CreateAdapter(1, new LoRA(rank: 1, targets: "query"));
        var context = record.Open(model, adapter, null);
        Task merging;
        using (ExecutionContext.SuppressFlow())
            merging = Task.Run(() => record.Merge(model, adapter, keepBase: true), TestContext.Current.CancellationToken);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.False(merging.IsCompleted);

        // One that begins within the first may not wait for what waits for the first.
        using (var inner = record.Open(model, adapter, null))
            Assert.False(inner.RunsBase);
        Task<bool> other;
        using (ExecutionContext.SuppressFlow())
            other = Task.Run(Opens, TestContext.Current.CancellationToken);
        await Task.Delay(100, TestContext.Current.CancellationToken);
        Assert.False(other.IsCompleted);

        context.Dispose();
        await merging;
        Assert.True(await other);

        bool Opens()
        {
            using var after = record.Open(model, adapter, null);
            return after.RunsBase;
        }
    }

    [Fact]
    public void What_could_not_end_is_refused()
    {
        using var model = new TinyModel();
        var record = new BaseRecord();
        using var adapter = model.CreateAdapter(1, new LoRA(rank: 1, targets: "query"));
        using (record.Open(model, adapter, null))
            Assert.StartsWith("cannot merge: it is asked for within a call that runs this model", Assert.Throws<AdapterException>(() => record.Merge(model, adapter, true)).Message, StringComparison.Ordinal);
        using (record.Open(model, adapter, null, isSuspendable: true))
            Assert.StartsWith("cannot merge: a call that runs this model through an adapter has not ended", Assert.Throws<AdapterException>(() => record.Merge(model, adapter, true)).Message, StringComparison.Ordinal);
        record.Merge(model, adapter, true);
        using (record.Open(model, adapter, null))
            Assert.StartsWith("cannot unmerge", Assert.Throws<AdapterException>(() => record.Unmerge(model, adapter)).Message, StringComparison.Ordinal);
        record.Unmerge(model, adapter);
    }

    [Fact]
    public void A_call_that_is_refused_holds_nothing()
    {
        using var model = new TinyModel();
        var record = new BaseRecord();
        using var adapter = model.CreateAdapter(1, new LoRA(rank: 1, targets: "query"));
        using var other = model.CreateAdapter(2, new LoRA(rank: 1, targets: "query"));
        record.Merge(model, adapter, true);
        Assert.Throws<AdapterException>(() => record.Open(model, other, null));
        record.Unmerge(model, adapter);
    }

    private static float[] Values(ProofModel model, ProofModel.LoRAAdapter? adapter, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        return (adapter is null ? model.forward(tokens) : model.forward(adapter, tokens)).detach().data<float>().ToArray();
    }
}
