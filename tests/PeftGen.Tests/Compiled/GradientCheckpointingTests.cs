using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace PeftGen.Tests.Compiled;

/// <summary>Blocks that are computed again in the backward pass: the same gradients from the same masks, and nothing kept but their inputs.</summary>
[Collection(nameof(TorchGenerator))]
public sealed class GradientCheckpointingTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly BlockModel _model = new();
    private readonly Tensor _x = Fill.Values(3, 2, 5, 6);
    private Tensor? _afterFirst;

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_and_masks_are_the_same(bool train)
    {
        using var adapter = _model.CreateAdapter();
        Fill.Normal(adapter, 2);
        _model.train(train);
        adapter.train(train);
        var before = adapter.TrainingState();

        var (y, gradients) = Run(adapter, before);
        adapter.GradientCheckpointing = true;
        var (again, others) = Run(adapter, before);

        TensorAssert.Same(y, again, "the output");
        Assert.NotEmpty(gradients);
        Assert.Equal(gradients.Keys, others.Keys);
        foreach (var (name, gradient) in gradients)
        {
            Assert.True(gradient.abs().max().item<float>() > 0, name);
            TensorAssert.Close(gradient, others[name], 1e-6, name);
        }

        // After the second pass the generators stand where one pass leaves them.
        TensorAssert.Same(_afterFirst!, get_rng_state(), "torch's generator");
    }

    private (Tensor y, SortedDictionary<string, Tensor> gradients) Run(BlockModel.Adapter adapter, IReadOnlyDictionary<string, Tensor> state)
    {
        manual_seed(7);
        adapter.LoadTrainingState(state);
        adapter.zero_grad();
        // The first block's input needs no gradient, as a frozen embedding's output does not.
        var y = _model.forward(adapter, _x);
        (y * Fill.Values(9, 2, 5, 6)).sum().backward();
        _afterFirst ??= get_rng_state();
        return (y, new(adapter.named_parameters().ToDictionary(p => p.name, p => p.parameter.grad!.clone())));
    }

    [Fact]
    public void Blocks_run_twice_and_only_where_gradients_are_asked_for()
    {
        using var adapter = _model.CreateAdapter();
        adapter.GradientCheckpointing = true;
        using (no_grad())
            _model.forward(adapter, _x);
        Assert.Equal(BlockModel.Depth, _model.Runs);

        var y = _model.forward(adapter, _x);
        Assert.Equal(2 * BlockModel.Depth, _model.Runs);
        y.sum().backward();
        Assert.Equal(3 * BlockModel.Depth, _model.Runs);

        adapter.GradientCheckpointing = false;
        _model.forward(adapter, _x).sum().backward();
        Assert.Equal(4 * BlockModel.Depth, _model.Runs);
    }

    [Fact]
    public void A_graph_that_is_kept_runs_backward_twice()
    {
        using var adapter = _model.CreateAdapter();
        adapter.GradientCheckpointing = true;
        Fill.Normal(adapter, 2);
        var loss = _model.forward(adapter, _x).square().sum();
        loss.backward(retain_graph: true);
        var once = adapter.named_parameters().ToDictionary(p => p.name, p => p.parameter.grad!.clone());
        loss.backward();
        foreach (var (name, parameter) in adapter.named_parameters())
            TensorAssert.Close(2 * once[name], parameter.grad!, 1e-6, name);
    }

    [Fact]
    public void The_input_gets_its_gradient()
    {
        _model.eval();
        using var adapter = _model.CreateAdapter();
        adapter.eval();
        Fill.Normal(adapter, 2);
        Tensor GradientOf()
        {
            var x = _x.detach().requires_grad_();
            _model.forward(adapter, x).square().sum().backward();
            return x.grad!;
        }

        var plain = GradientOf();
        adapter.GradientCheckpointing = true;
        TensorAssert.Close(plain, GradientOf(), 1e-6);
    }

    [Fact]
    public void Stacked_adapters_and_rows_of_a_batch_are_computed_again_too()
    {
        _model.eval();
        using var first = _model.CreateAdapter();
        using var second = _model.CreateAdapter();
        Fill.Normal(first, 2);
        Fill.Normal(second, 3);
        foreach (var both in (BlockModel.Adapter[])[Stack.Of(first, second), Rows.Of(first, second)])
        {
            both.eval();
            SortedDictionary<string, Tensor> Gradients()
            {
                first.zero_grad();
                second.zero_grad();
                _model.forward(both, _x).square().sum().backward();
                return new(first.named_parameters().Concat(second.named_parameters().Select(p => (name: "second." + p.name, p.parameter)))
                    .ToDictionary(p => p.name, p => p.parameter.grad!.clone()));
            }

            var plain = Gradients();
            both.GradientCheckpointing = true;
            foreach (var (name, gradient) in Gradients())
                TensorAssert.Close(plain[name], gradient, 1e-5, name);
            both.Dispose();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Gradients_of_parts_of_a_batch_add_up(bool checkpointing)
    {
        using var adapter = _model.CreateAdapter();
        _model.eval();
        adapter.eval();
        Fill.Normal(adapter, 2);
        // Blocks of this host mix the rows of a batch, so that the parts are shares of the loss of each row by itself.
        Tensor Loss(long row) => _model.forward(adapter, _x.narrow(0, row, 1)).square().mean() / _x.shape[0];
        (Loss(0) + Loss(1)).backward();
        var whole = adapter.named_parameters().ToDictionary(p => p.name, p => p.parameter.grad!.clone());

        adapter.zero_grad();
        adapter.GradientCheckpointing = checkpointing;
        Loss(0).backward();
        Loss(1).backward();
        foreach (var (name, parameter) in adapter.named_parameters())
            TensorAssert.Close(whole[name], parameter.grad!, 1e-5, name);
    }

    [Fact]
    public void A_block_with_a_cache_runs_once()
    {
        using var adapter = _model.CreateAdapter();
        adapter.GradientCheckpointing = true;
        var seen = new List<Tensor>();
        _model.forward(adapter, _x, seen).sum().backward();
        Assert.Equal(BlockModel.Depth, seen.Count);
        Assert.Equal(BlockModel.Depth, _model.Runs);
    }

    [Fact]
    public void It_is_switched_on_where_there_are_blocks_and_on_the_whole_adapter()
    {
        using var adapter = _model.CreateAdapter();
        Assert.False(adapter.GradientCheckpointing);
        Assert.Contains("layers.0", Assert.Throws<AdapterException>(() => adapter.layers[0]!.GradientCheckpointing = true).Message);
        using var other = new LinearModel();
        using var alone = other.CreateAdapter();
        Assert.Contains("[GradientCheckpointing]", Assert.Throws<AdapterException>(() => alone.GradientCheckpointing = true).Message);
    }

    [Fact]
    public void A_step_leaves_nothing_behind()
    {
        using var adapter = _model.CreateAdapter();
        adapter.GradientCheckpointing = true;
        void Step()
        {
            using var scope = NewDisposeScope();
            _model.forward(adapter, _x).sum().backward();
            foreach (var parameter in adapter.parameters())
                parameter.grad = null;
        }

        Step();
        var before = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        Step();
        Assert.Equal(before, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
    }
}

[LoRA(rank: 2, targets: "layers.*.inner", Dropout = 0.3)]
internal sealed partial class BlockModel : Module<Tensor, List<Tensor>?, Tensor>
{
    public const int Depth = 3;
    private readonly ModuleList<Block> layers = ModuleList([.. Enumerable.Range(0, Depth).Select(_ => new Block())]);

    public BlockModel() : base(nameof(BlockModel))
    {
        RegisterComponents();
        Fill.Normal(this, 1);
    }

    public int Runs => layers.Sum(layer => layer.Runs);

    public override Tensor forward(Tensor x, List<Tensor>? seen = null)
    {
        using var shift = x.mean();
        foreach (var layer in layers)
            x = layer.forward(x, shift, seen);
        return x.alias();
    }
}

[GradientCheckpointing]
internal sealed partial class Block : Module<Tensor, Tensor?, List<Tensor>?, Tensor>
{
    private readonly Linear inner = Linear(6, 6);
    private readonly TorchSharp.Modules.Dropout drop = Dropout(0.2);

    public Block() : base(nameof(Block)) => RegisterComponents();

    public int Runs { get; private set; }

    public override Tensor forward(Tensor x, Tensor? shift, List<Tensor>? seen)
    {
        Runs++;
        seen?.Add(x);
        using var h = inner.forward(x);
        using var dropped = drop.forward(h);
        using var open = functional.silu(dropped);
        return shift is null ? open + x : open + x + shift;
    }
}

[LoRA(rank: 2, targets: "inner")]
internal sealed partial class LinearModel : Module<Tensor, Tensor>
{
    private readonly Linear inner = Linear(4, 4);

    public LinearModel() : base(nameof(LinearModel)) => RegisterComponents();

    public override Tensor forward(Tensor x) => inner.forward(x);
}
