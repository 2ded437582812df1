using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>Adapters drop out only where they and the model that runs both train; what is loaded starts in evaluation mode.</summary>
public sealed class DropoutModeTests : IDisposable
{
    private const double P = 0.5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly EveryMethodModel _model = new();
    private readonly Tensor _ids = tensor(new long[,] { { 1, 4, 7, 2 }, { 3, 5, 9, 10 } });
    private readonly ForwardOptions _options = new() { TaskIds = tensor(new long[] { 0, 1 }) };

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Of_LoRA() => Check(_model.CreateLoRAAdapter(new LoRA(2, targets: "q_proj") { Dropout = P }), _model.LoadLoRAAdapter);

    [Fact]
    public void Of_MTL_LoRA() => Check(_model.CreateMTLLoRAAdapter(new MTLLoRA(2, 2, targets: "q_proj") { Dropout = P }), _model.LoadMTLLoRAAdapter);

    [Fact]
    public void Of_a_bottleneck() => Check(_model.CreateBottleneckAdapter(new Bottleneck(2, "mlp") { Dropout = P }), _model.LoadBottleneckAdapter);

    [Fact]
    public void Of_a_bottleneck_by_example() => Check(_model.CreateHoulsbyAdapter(new Houlsby(2, "self_attn,mlp") { StochasticDepth = P }), _model.LoadHoulsbyAdapter);

    [Fact]
    public void Of_Compacter() => Check(_model.CreateCompacterAdapter(new Compacter(2, "self_attn,mlp") { PhmDim = 2, Dropout = P }), _model.LoadCompacterAdapter);

    [Fact]
    public void Of_a_prefix() => Check(_model.CreatePrefixTuningAdapter(new PrefixTuning(4, "self_attn") { Dropout = P }), _model.LoadPrefixTuningAdapter);

    [Fact]
    public void Of_a_prefix_with_a_network_and_a_gate() =>
        Check(_model.CreatePrefixTuningAdapter(new PrefixTuning(4, "self_attn") { Dropout = P, Projection = 3, Gated = true }), _model.LoadPrefixTuningAdapter);

    [Fact]
    public void Of_ReFT() => Check(_model.CreateLoReFTAdapter(new LoReFT(2) { Dropout = P }), _model.LoadLoReFTAdapter);

    /// <summary>A file has the prompt and not the network, so what is loaded has nothing to drop.</summary>
    [Fact]
    public void Of_a_prompt_s_LSTM() =>
        Check(_model.CreatePTuningAdapter(new PTuning(3) { Encoder = PromptNetwork.Lstm, HiddenSize = 8, Dropout = P }), _model.LoadPTuningAdapter, dropsWhenLoaded: false);

    /// <summary>What a file has is the prompt without dropout.</summary>
    [Fact]
    public void A_file_has_the_prompt_that_evaluation_has()
    {
        using var folder = new TempFolder();
        var adapter = _model.CreatePTuningAdapter(new PTuning(3) { Encoder = PromptNetwork.Lstm, HiddenSize = 8, Dropout = P });
        Fill.Normal(adapter, 2);
        adapter.Save(folder.Path);
        _model.eval();
        TensorAssert.Close(_model.forward(adapter, _ids), _model.forward(_model.LoadPTuningAdapter(folder.Path), _ids), 1e-6);
        _model.train();
        var before = _model.forward(adapter.Eject(), _ids);
        TensorAssert.Close(_model.forward(_model.LoadPTuningAdapter(folder.Path), _ids), before, 1e-6, "ejected");
    }

    [Fact]
    public void Of_compositions()
    {
        var first = _model.CreateLoRAAdapter(new LoRA(2, targets: "q_proj") { Dropout = P });
        var second = _model.CreateLoRAAdapter(new LoRA(2, targets: "q_proj"));
        Fill.Normal(first, 2);
        Fill.Normal(second, 3);
        foreach (var make in (Func<EveryMethodModel.LoRAAdapter>[])[() => Stack.Of(first, second), () => Rows.Of(first, second)])
        {
            first.train();
            _model.train();
            Assert.True(DropsOut(make()));
            _model.eval();
            Assert.False(DropsOut(make()));
            _model.train();
            first.eval();
            Assert.False(DropsOut(make()));
        }

        second.eval();
        Assert.False(Stack.Of(first, second).training);
        second.train();
        Assert.True(Stack.Of(first, second).training);
        Assert.False(first.training, "composing switched a part");
    }

    [Fact]
    public void The_model_with_its_adapter_as_one_module()
    {
        var adapter = _model.CreateLoRAAdapter(new LoRA(2, targets: "q_proj") { Dropout = P });
        Fill.Normal(adapter, 2);
        var with = _model.With(adapter);
        Assert.False(with.forward(_ids).equal(with.forward(_ids)).all().item<bool>());
        with.eval();
        TensorAssert.Same(with.forward(_ids), with.forward(_ids));
    }

    /// <summary>Training goes on as it was: a state brings the mode, too.</summary>
    [Fact]
    public void A_training_state_is_loaded_to_train_on()
    {
        using var folder = new TempFolder();
        var adapter = _model.CreateLoRAAdapter(new LoRA(2, targets: "q_proj") { Dropout = P });
        Fill.Normal(adapter, 2);
        adapter.Save(folder.Path);
        adapter.SaveTrainingState(folder["state.safetensors"]);
        var expected = _model.forward(adapter, _ids);

        var resumed = _model.LoadLoRAAdapter(folder.Path);
        Assert.False(resumed.training);
        resumed.LoadTrainingState(folder["state.safetensors"]);
        Assert.True(resumed.training);
        TensorAssert.Same(expected, _model.forward(resumed, _ids), "the mask of the next step");
    }

    private void Check<T>(T adapter, Func<string, T> load, bool dropsWhenLoaded = true) where T : EveryMethodModel.Adapter, IAdapter
    {
        using var folder = new TempFolder();
        Fill.Normal(adapter, 2);
        Assert.True(DropsOut(adapter), "both train");
        _model.eval();
        Assert.False(DropsOut(adapter), "the model does not train");
        var evaluated = _model.forward(adapter, _options, _ids);
        _model.train();
        adapter.eval();
        Assert.False(DropsOut(adapter), "the adapter does not train");
        TensorAssert.Same(evaluated, _model.forward(adapter, _options, _ids), "either in evaluation mode");

        adapter.Save(folder.Path);
        var loaded = load(folder.Path);
        Assert.False(loaded.training);
        Assert.All(loaded.parameters(), p => Assert.True(p.requires_grad));
        Assert.False(DropsOut(loaded), "loaded");
        TensorAssert.Close(evaluated, _model.forward(loaded, _options, _ids), 1e-6, "loaded");
        loaded.train();
        Assert.Equal(dropsWhenLoaded, DropsOut(loaded));
    }

    private bool DropsOut(EveryMethodModel.Adapter adapter) => !_model.forward(adapter, _options, _ids).equal(_model.forward(adapter, _options, _ids)).all().item<bool>();
}
