using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

public sealed class ThreadTests
{
    private const int Repetitions = 50, Steps = 3;

    [Fact]
    public async Task Adapters_on_several_threads_give_the_bits_that_they_give_alone()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        // The first of them trains with dropout, the others answer.
        Func<float[]>[] work = [() => Train(model, tokens), .. new ulong[] { 1, 2, 3 }.Select(seed => (Func<float[]>)(() => Answer(model, tokens, seed)))];
        var alone = work.Select(run => run()).ToList();
        Assert.Equal(alone.Count, alone.Select(bits => string.Join(",", bits)).Distinct().Count());

        for (var repetition = 0; repetition < Repetitions; repetition++)
        {
            using var start = new Barrier(work.Length);
            var together = await Task.WhenAll(work.Select(run => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait(TestContext.Current.CancellationToken);
                    return run();
                },
                TestContext.Current.CancellationToken, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
            for (var i = 0; i < work.Length; i++)
                Assert.True(alone[i].SequenceEqual(together[i]), $"repetition {repetition}: adapter {i} gave other bits than alone");
        }
    }

    private static float[] Train(ProofModel model, Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var adapter = model.CreateAdapter(generator: Proof.Seed(9));
        var losses = Proof.Train(model, adapter, tokens, Steps);
        return [.. losses, .. adapter.parameters().SelectMany(p => p.detach().data<float>().ToArray())];
    }

    private static float[] Answer(ProofModel model, Tensor tokens, ulong seed)
    {
        using var scope = NewDisposeScope();
        ProofModel.Adapter adapter = seed == 3 ? model.CreateIa3Adapter() : model.CreateAdapter(generator: Proof.Seed(seed));
        adapter.eval();
        Proof.Randomize(adapter, seed);
        return Enumerable.Range(0, Steps).SelectMany(_ => model.forward(adapter, tokens).detach().data<float>().ToArray()).ToArray();
    }
}
