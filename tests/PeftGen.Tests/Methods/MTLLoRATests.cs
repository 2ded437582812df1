using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>MTL-LoRA: rows of several tasks in one batch.</summary>
public sealed class MTLLoRATests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Linear _layer = nn.Linear(7, 5);
    private readonly LayerHost _host;
    private readonly Tensor _x = Fill.Values(3, 3, 4, 7);

    public MTLLoRATests() => _host = new LayerHost(("query", _layer));

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Each_row_runs_with_the_factors_and_the_mix_of_its_task()
    {
        var adapter = Filled();
        int[] tasks = [1, 0, 1];
        var y = _host.forward(adapter, Of(tasks), _x);
        var (a, b) = (Parameter(adapter, "lora_A"), Parameter(adapter, "lora_B"));
        for (var row = 0; row < 3; row++)
        {
            var mix = (Parameter(adapter, $"lora_mix_{tasks[row]}") / 0.5).softmax(0);
            var inner = _x[row].matmul(a.t()) * Parameter(adapter, $"lora_lambda_{tasks[row]}");
            var update = zeros(4, 5);
            for (var j = 0; j < 2; j++)
                update += mix[j] * inner.matmul(b[j].t());
            TensorAssert.Close(_layer.forward(_x[row]) + (update * (6.0 / 3)), y[row], Tolerance, $"row {row}");
        }
    }

    [Fact]
    public void A_new_adapter_changes_nothing() =>
        TensorAssert.Close(_host.forward(_x), _host.forward(_host.Create(Values()), Of(0, 1, 1), _x), 1e-6);

    [Fact]
    public void Gradients_are_those_of_differences()
    {
        _host.to(ScalarType.Float64);
        var adapter = Filled();
        var x = _x.to(ScalarType.Float64).requires_grad_();
        Gradients.Check(() => _host.forward(adapter, Of(1, 0, 1), x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
    }

    [Fact]
    public void Beside_a_bf16_layer_it_keeps_fp32_and_returns_bf16()
    {
        _host.to(ScalarType.BFloat16);
        var adapter = Filled();
        Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
        Assert.Equal(ScalarType.BFloat16, _host.forward(adapter, Of(1, 0, 1), _x.to(ScalarType.BFloat16)).dtype);
    }

    [Fact]
    public void Tasks_that_are_missing_or_unknown_are_refused()
    {
        var adapter = Filled();
        Assert.StartsWith("query: MTL-LoRA of 2 tasks has to know each row's", Assert.Throws<AdapterException>(() => _host.forward(adapter, _x)).Message, StringComparison.Ordinal);
        Assert.StartsWith("query: the task ids are [2], expected [3]", Assert.Throws<AdapterException>(() => _host.forward(adapter, Of(0, 1), _x)).Message, StringComparison.Ordinal);
        Assert.StartsWith("query: the task ids go from 0 to 2, expected 0 to 1", Assert.Throws<AdapterException>(() => _host.forward(adapter, Of(0, 1, 2), _x)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Dropout_is_on_the_adapters_path_and_in_training_alone()
    {
        // One input many times: what each copy gets differs by its mask alone, and their mean is the expectation.
        const int Copies = 20_000;
        var x = Fill.Values(3, 1, 1, 7).expand(Copies, 1, 7);
        var tasks = new ForwardOptions { TaskIds = ones(Copies, ScalarType.Int64) };
        var adapter = Filled(0.4);
        adapter.eval();
        var exact = _host.forward(adapter, tasks, x);
        TensorAssert.Same(_host.forward(Filled(), tasks, x), exact);
        adapter.train();
        var (first, second) = (_host.forward(adapter, tasks, x), _host.forward(adapter, tasks, x));
        Assert.False(first.allclose(second));
        // Each input is kept with probability 0.6: some copies lose all, and are left with the base's output.
        var basis = _layer.forward(x);
        Assert.InRange((first - basis).abs().amax([1, 2]).eq(0).to(ScalarType.Float32).mean().item<float>(), 0.5f * MathF.Pow(0.4f, 7), 2 * MathF.Pow(0.4f, 7));
        // Within five standard errors.
        var error = (first.mean([0]) - exact[0]).abs() / (first.std(0, unbiased: false) / Math.Sqrt(Copies));
        Assert.InRange(error.max().item<float>(), 0, 5);
        adapter.eval();
        TensorAssert.Same(exact, _host.forward(adapter, tasks, x));
    }

    [Fact]
    public void Dropout_s_gradients_are_those_of_its_own_mask()
    {
        _host.to(ScalarType.Float64);
        var adapter = Filled(0.4);
        adapter.train();
        var state = adapter.TrainingState();
        // Going back to the state draws the same mask again.
        Gradients.Check(
            () =>
            {
                adapter.LoadTrainingState(state.ToDictionary(s => s.Key, s => s.Key.StartsWith("dropout", StringComparison.Ordinal) ? s.Value : adapter.state_dict()[s.Key]));
                return _host.forward(adapter, Of(1, 0, 1), _x.to(ScalarType.Float64));
            },
            [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
    }

    [Fact]
    public void It_does_not_merge() => Assert.Throws<AdapterException>(() => _host.Merge(Filled()));

    [Fact]
    public void Its_file_brings_back_what_was_saved()
    {
        using var folder = new TempFolder();
        var adapter = Filled();
        adapter.Save(folder.Path);
        var loaded = _host.Load(folder.Path, new MTLLoRA());
        TensorAssert.Same(_host.forward(adapter, Of(1, 0, 1), _x), _host.forward(loaded, Of(1, 0, 1), _x));
    }

    private static MTLLoRA Values(double dropout = 0) => new(2, 3, 6, "query") { Projections = 2, Sharpness = 0.5, Dropout = dropout };

    private static ForwardOptions Of(params int[] tasks) => new() { TaskIds = tensor(tasks.Select(t => (long)t).ToArray()) };

    private LayerHost.Adapter Filled(double dropout = 0)
    {
        var adapter = _host.Create(Values(dropout));
        Fill.Normal(adapter, 2);
        return adapter;
    }

    private static Parameter Parameter(LayerHost.Adapter adapter, string name) => adapter.Slot("query")!.get_parameter(name)!;
}
