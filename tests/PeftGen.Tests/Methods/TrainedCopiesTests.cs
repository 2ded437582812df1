using PeftGen.Compiled;
using PeftGen.Tests.Methods.Hosts;
using PeftGen.Tests.Tiny;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Norms, biases, whole modules and users' own parameters, trained in copies.</summary>
public sealed class TrainedCopiesTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void A_tuned_norm_runs_with_its_copies()
    {
        var norm = nn.LayerNorm(6, eps: 1e-2);
        var host = new LayerHost(("dense", nn.Linear(7, 6)), ("norm", norm));
        var adapter = host.Create(new LNTuning());
        Assert.Equal(["base_model.model.norm.ln_tuning_layers.weight", "base_model.model.norm.ln_tuning_layers.bias"], Keys(adapter));
        var x = Fill.Values(3, 4, 7);
        TensorAssert.Same(host.forward(x), host.forward(adapter, x));
        Fill.Normal(adapter, 2);
        var dense = ((Linear)host.named_children().First().module).forward(x);
        var expected = nn.functional.layer_norm(dense, [6], Part(adapter, "norm", "weight"), Part(adapter, "norm", "bias"), 1e-2);
        TensorAssert.Close(expected, host.forward(adapter, x), Tolerance);
        host.Merge(adapter);
        TensorAssert.Same(expected, host.forward(x));
        host.Unmerge(adapter);
        Assert.True((host.forward(x) - expected).abs().max().item<float>() > 0.1);
    }

    [Fact]
    public void Norms_are_found_beside_one_that_bears_the_roles_word()
    {
        var host = new LayerHost(("input_layernorm", nn.LayerNorm(6)), ("norm", nn.LayerNorm(6)), ("ln_f", nn.LayerNorm(6)), ("dense", nn.Linear(6, 6)));
        Assert.Equal(["input_layernorm", "norm", "ln_f"], host.Create(new LNTuning()).Slots().Select(s => s.Path));
    }

    [Fact]
    public void A_users_own_parameter_is_read_from_its_copy()
    {
        var model = new TinyModel();
        var adapter = model.CreateAdapter(3, new LNTuning("scale"));
        Assert.Equal(["base_model.model.blocks.0.ln_tuning_layers.scale", "base_model.model.blocks.1.ln_tuning_layers.scale"], Keys(adapter));
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 2, 4, TinyModel.Dim);
        var adapted = model.forward(adapter, x);
        adapted.sum().backward();
        Assert.All(adapter.parameters(), p => Assert.True(p.grad!.abs().max().item<float>() > 0));
        Assert.True((model.forward(x) - adapted).abs().max().item<float>() > 0.1);
        model.Merge(adapter);
        TensorAssert.Same(adapted, model.forward(x));
    }

    [Fact]
    public void A_module_trains_whole_under_its_own_name()
    {
        var head = nn.Linear(6, 3);
        var host = new LayerHost(("q_proj", nn.Linear(7, 6)), ("classifier", head));
        var adapter = host.Create(new LoRA(rank: 2, targets: "q_proj") { ModulesToSave = "classifier,score" });
        Assert.Equal(["base_model.model.classifier.weight", "base_model.model.classifier.bias"], Keys(adapter).Skip(2));
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 4, 7);
        var (adapted, before) = (host.forward(adapter, x), head.weight!.clone());
        host.Merge(adapter);
        TensorAssert.Same(Part(adapter, "classifier", "weight"), head.weight!);
        TensorAssert.Close(adapted, host.forward(x), Tolerance);
        host.Unmerge(adapter);
        TensorAssert.Same(before, head.weight!);
    }

    [Fact]
    public void An_embedding_trains_whole()
    {
        var host = new LayerHost(("embed_tokens", nn.Embedding(9, 4)), ("q_proj", nn.Linear(4, 5)));
        var adapter = host.Create(new LoRA(rank: 2, targets: "q_proj") { ModulesToSave = "embed_tokens" });
        Fill.Normal(adapter, 2);
        var ids = tensor(new long[,] { { 1, 8, 1 }, { 0, 3, 8 } });
        var y = RunOn(adapter, "embed_tokens", (Embedding)host.named_children().First().module, ids);
        TensorAssert.Same(Part(adapter, "embed_tokens", "weight")[tensor(new long[] { 1, 8, 1, 0, 3, 8 })].view(2, 3, 4), y);
        y.sum().backward();
        Assert.Equal([2f, 0f], (float[])[Part(adapter, "embed_tokens", "weight").grad![8, 0].item<float>(), Part(adapter, "embed_tokens", "weight").grad![2, 0].item<float>()]);
    }

    [Fact]
    public void All_biases_train_and_those_of_adapted_layers_are_called_base_layer()
    {
        var host = new LayerHost(("q_proj", nn.Linear(7, 6)), ("k_proj", nn.Linear(6, 6, hasBias: false)), ("v_proj", nn.Linear(6, 5)), ("norm", nn.LayerNorm(5)), ("head", nn.Linear(5, 3)));
        var adapter = host.Create(new LoRA(rank: 2, targets: "q_proj") { Bias = LoRABias.All, ModulesToSave = "head" });
        Assert.Equal(
            ["q_proj.base_layer.bias", "q_proj.lora_A.weight", "q_proj.lora_B.weight", "v_proj.bias", "norm.bias", "head.weight", "head.bias"],
            Keys(adapter).Select(k => k["base_model.model.".Length..]));
        Assert.Null(adapter.Slot("k_proj"));
        Fill.Normal(adapter, 2);
        var x = Fill.Values(3, 4, 7);
        var adapted = host.forward(adapter, x);
        adapted.pow(2).sum().backward();
        Assert.All(adapter.named_parameters(), p => Assert.True(p.parameter.grad is not null, $"{p.name} has no gradient"));
        host.Merge(adapter);
        TensorAssert.Close(adapted, host.forward(x), Tolerance);
    }

    [Theory]
    [InlineData("q_proj,k_proj")]
    [InlineData("all-linear")]
    public void The_biases_of_adapted_layers_train_where_they_have_one(string targets)
    {
        var host = new LayerHost(("q_proj", nn.Linear(7, 6)), ("k_proj", nn.Linear(6, 5, hasBias: false)), ("lm_head", nn.Linear(5, 3)));
        var adapter = host.Create(new LoRA(rank: 2, targets: targets) { Bias = LoRABias.LoraOnly });
        Assert.Equal(
            ["q_proj.base_layer.bias", "q_proj.lora_A.weight", "q_proj.lora_B.weight", "k_proj.lora_A.weight", "k_proj.lora_B.weight"],
            Keys(adapter).Select(k => k["base_model.model.".Length..]));
    }

    [Fact]
    public void Beside_bf16_a_copy_keeps_what_small_steps_add_up_to()
    {
        var model = new TinyModel().to(ScalarType.BFloat16);
        var host = new LayerHost(("norm", nn.LayerNorm(6)), ("dense", nn.Linear(6, 3)));
        host.to(ScalarType.BFloat16);
        var own = model.CreateAdapter(3, new LNTuning("scale"));
        var layer = host.Create(new LNTuning());
        Assert.All(own.parameters().Concat(layer.parameters()), p => Assert.Equal(ScalarType.Float32, p.dtype));
        var x = Fill.Values(3, 4, 6).to(ScalarType.BFloat16);
        TensorAssert.Same(host.forward(x), host.forward(layer, x));
        Fill.Normal(layer, 2);
        var adapted = host.forward(layer, x);
        Assert.Equal(ScalarType.BFloat16, adapted.dtype);
        adapted.sum().backward();
        Assert.Equal(ScalarType.Float32, Part(layer, "norm", "weight").grad!.dtype);
        host.Merge(layer);
        TensorAssert.Same(adapted, host.forward(x));
    }

    [Fact]
    public void A_layer_that_cannot_run_with_copies_is_named()
    {
        var host = new LayerHost(("dense", nn.Linear(6, 6)), ("norm", nn.GroupNorm(2, 6)));
        var error = Assert.Throws<AdapterException>(() => host.Create(new LNTuning("norm")));
        Assert.StartsWith("norm: a GroupNorm cannot run with trained copies", error.Message, StringComparison.Ordinal);
    }

    private static Tensor RunOn(LayerHost.Adapter adapter, string name, nn.Module<Tensor, Tensor> layer, Tensor x) =>
        SlotCalls.forward(adapter.Slot(name), new ForwardContext(), layer, x);

    private static IEnumerable<string> Keys(AdapterNode adapter) => adapter.Slots().SelectMany(slot => slot.Stored(FileFormat.HuggingFace)).Select(entry => entry.Key);

    private static Tensor Part(LayerHost.Adapter adapter, string layer, string name) =>
        adapter.Slots().Where(s => s.Path == layer).Select(s => s.get_parameter(name)).First(p => p is not null)!;
}
