using PeftGen.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.QuickStart.Tests;

public sealed class TrainingTests
{
    [Fact]
    public void Schedules_rise_and_fall()
    {
        Assert.Equal([0.25, 0.5, 0.75, 1, 1, 1, 1, 1], Rates(Schedules.Constant(0.5)));
        Assert.Equal([0.25, 0.5, 0.75, 1, 1, 0.75, 0.5, 0.25], Rates(Schedules.Linear(0.5)));
        Assert.Equal([0.5, 1, 1, 0.933, 0.75, 0.5, 0.25, 0.067], Rates(Schedules.Cosine(0.25)));

        static double[] Rates(LearningRateSchedule schedule) => [.. Enumerable.Range(0, 8).Select(step => Math.Round(schedule(step, 8), 3))];
    }

    [Fact]
    public void Training_finds_the_minimum()
    {
        using var parameter = new Parameter(tensor([5f, -3f]));
        var curve = Trainer.Run(
            [parameter],
            new TrainerOptions { Steps = 200, LearningRate = 0.2 },
            _ => (parameter - tensor([1f, 2f])).pow(2).sum(),
            cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(200, curve.Losses.Count);
        Assert.True(curve.Losses[^1] < 1e-3, $"{curve.Losses[^1]}");
        Assert.True(curve.Recent < 1e-2, $"{curve.Recent}");
    }

    [Fact]
    public void A_loss_that_is_no_number_stops_the_training_before_it_does_harm()
    {
        using var parameter = new Parameter(tensor([2f]));
        var error = Assert.Throws<TrainingDivergedException>(() => Trainer.Run(
            [parameter], new TrainerOptions { Steps = 9, LearningRate = 0.1, Schedule = Schedules.Constant(0) }, step => step == 1 ? parameter.sum() * double.NaN : parameter.sum(), cancellation: TestContext.Current.CancellationToken));
        Assert.Contains("step 2", error.Message, StringComparison.Ordinal);
        Assert.Equal(1.9f, parameter[0].item<float>(), 1e-5f);
    }

    [Fact]
    public void Steps_are_those_of_AdamW_and_leave_nothing_behind()
    {
        using var scope = NewDisposeScope();
        var start = tensor([5f, -3f, 0.5f]);
        var (ours, theirs, idle) = (new Parameter(start.clone()), new Parameter(start.clone()), new Parameter(ones(2)));
        using var optimizer = new LeanAdamW([ours, idle], 0.1, 0.02, 0.8, 0.95, 1e-6);
        using var reference = optim.AdamW([theirs], 0.1, 0.8, 0.95, 1e-6, 0.02);
        for (var step = 0; step < 6; step++)
        {
            using (NewDisposeScope())
            {
                foreach (var parameter in (Parameter[])[ours, theirs])
                    ((parameter - tensor([1f, 2f, 3f])).pow(2) * (step + 1)).sum().backward();
                optimizer.LearningRate = reference.ParamGroups.Single().LearningRate = 0.1 / (step + 1);
                reference.step();
                var alive = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
                optimizer.Step();
                Assert.True(step == 0 || DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount == alive, $"step {step}");
                theirs.grad = null;
                optimizer.ZeroGradients();
            }

            Assert.True(ours.allclose(theirs, 1e-6, 1e-7), $"step {step}: {ours.str()} and {theirs.str()}");
        }

        Assert.True(idle.allclose(ones(2)));
    }

    [Fact]
    public void Nothing_to_train_is_an_error()
    {
        using var frozen = new Parameter(ones(1), requires_grad: false);
        Assert.Throws<ArgumentException>(() => Trainer.Run([frozen], new TrainerOptions { Steps = 1, LearningRate = 1 }, _ => frozen.sum(), cancellation: TestContext.Current.CancellationToken));
    }

    [Fact]
    public void The_loss_shifts_labels_and_leaves_ignored_ones_out()
    {
        using var scope = NewDisposeScope();
        var logits = rand([1, 3, 4]);
        var expected = -nn.functional.log_softmax(logits, -1)[0, 1, 2];
        var found = CausalLoss.Of(logits, tensor(new long[,] { { 3, CausalLoss.Ignored, 2 } }));
        Assert.Equal(expected.item<float>(), found.item<float>(), 1e-6f);
    }

    [Fact]
    public void The_loss_gives_no_label_to_a_prompt_in_front()
    {
        using var scope = NewDisposeScope();
        var logits = rand([1, 4, 4]);
        var likely = nn.functional.log_softmax(logits, -1);
        // The last virtual position predicts the first token.
        var found = CausalLoss.Of(logits, tensor(new long[,] { { 3, 1 } }));
        Assert.Equal(-(likely[0, 1, 3] + likely[0, 2, 1]).item<float>() / 2, found.item<float>(), 1e-6f);
        Assert.Throws<ArgumentException>(() => CausalLoss.Of(logits, zeros(1, 5, ScalarType.Int64)));
    }

    /// <summary>What would train nothing, or not what was meant, is refused before it costs time.</summary>
    [Fact]
    public void Parameters_that_the_loss_does_not_depend_on()
    {
        using var scope = NewDisposeScope();
        var (learning, other) = (nn.Parameter(ones(2)), nn.Parameter(ones(2)));
        var frozen = nn.Parameter(ones(2), requires_grad: false);
        var options = new TrainerOptions { Steps = 1, LearningRate = 1 };
        LossCurve Run(IEnumerable<Parameter> parameters, Func<Tensor> loss) => Trainer.Run(parameters, options, _ => loss(), cancellation: TestContext.Current.CancellationToken);

        Assert.Contains("None of the 1 parameters requires gradients", Assert.Throws<ArgumentException>(() => Run([frozen], () => learning.sum())).Message, StringComparison.Ordinal);
        Assert.Contains("1 of the 2 parameters are frozen", Assert.Throws<ArgumentException>(() => Run([frozen, learning], () => learning.sum())).Message, StringComparison.Ordinal);
        Assert.Contains("No gradient reached any of the 1 parameters", Assert.Throws<InvalidOperationException>(() => Run([other], () => learning.sum())).Message, StringComparison.Ordinal);
        Assert.Contains("The loss has no gradient", Assert.Throws<InvalidOperationException>(() => Run([learning], () => learning.detach().sum())).Message, StringComparison.Ordinal);
        Assert.Equal(1, other[0].item<float>());
    }

    [Fact]
    public void Smoothing_keeps_a_straight_line_and_calms_noise()
    {
        double[] line = [.. Enumerable.Range(0, 100).Select(i => 3.0 * i)];
        Assert.All(LossCurve.Smooth(line, 3).Index().Skip(9).SkipLast(9), point => Assert.Equal(line[point.Index], point.Item, 1e-9));
        double[] noise = [.. Enumerable.Range(0, 100).Select(i => i % 2 == 0 ? 1.0 : -1.0)];
        Assert.All(LossCurve.Smooth(noise, 3).Skip(9).SkipLast(9), value => Assert.InRange(value, -0.01, 0.01));
    }
}
