using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Biases that train alone, and gradients of the other trained copies in double precision.</summary>
public sealed class BitFitTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Linear _first = nn.Linear(6, 5), _second = nn.Linear(5, 4, hasBias: false);
    private readonly LayerNorm _norm = nn.LayerNorm(4);
    private readonly LayerHost _host;
    private readonly Tensor _x = Fill.Values(3, 2, 6);

    public BitFitTests() => _host = new LayerHost(("first", _first), ("second", _second), ("norm", _norm));

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Biases_alone_train_and_merge()
    {
        using var adapter = _host.Create(new BitFit());
        TensorAssert.Same(_host.forward(_x), _host.forward(adapter, _x), "at the start");
        Assert.Equal([5L, 4L], adapter.parameters().Select(p => p.numel()));
        Fill.Normal(adapter, 2);
        var (bias, shift) = (adapter.parameters().First(), adapter.parameters().Last());
        var expected = nn.functional.layer_norm(matmul(matmul(_x, _first.weight.t()) + bias, _second.weight.t()), [4], _norm.weight, shift, 1e-5);
        TensorAssert.Close(expected, _host.forward(adapter, _x), 1e-5);

        _host.Merge(adapter);
        TensorAssert.Same(bias, _first.bias!);
        TensorAssert.Close(expected, _host.forward(_x), 1e-5);
        _host.Unmerge(adapter);
    }

    [Fact]
    public void It_compiles_into_a_model()
    {
        using var model = new BiasedModel();
        using var adapter = model.CreateAdapter();
        Fill.Normal(adapter, 2);
        var bias = Assert.Single(adapter.parameters());
        var y = model.forward(adapter, _x);
        TensorAssert.Close(model.forward(_x) - model.inner.bias! + bias, y, 1e-5);
        adapter.MergeInto(model);
        TensorAssert.Close(y, model.forward(_x), 1e-6);
    }

    [Fact]
    public void Files_open_again_and_targets_choose()
    {
        using var folder = new TempFolder();
        using var adapter = _host.Create(new BitFit("first.bias"));
        Fill.Normal(adapter, 2);
        adapter.Save(folder.Path);
        using (var file = PeftGen.Checkpoints.SafetensorsFile.Open(folder["adapter_model.safetensors"]))
            Assert.Equal(["base_model.model.first.bias"], file.Names);
        using var loaded = _host.Load(folder.Path, new BitFit());
        TensorAssert.Same(_host.forward(adapter, _x), _host.forward(loaded, _x));
    }

    [Fact]
    public void Gradients_of_trained_copies_are_those_of_differences()
    {
        _host.to(ScalarType.Float64);
        var x = _x.to(ScalarType.Float64).requires_grad_();
        foreach (var method in (AdaptAttribute[])[new BitFit(), new LNTuning("norm"), new LNTuning("first,norm")])
        {
            using var adapter = _host.Create(method);
            Fill.Normal(adapter, 2);
            Gradients.Check(() => _host.forward(adapter, x), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)), ("x", x)]);
        }

        var embedding = nn.Embedding(9, 5);
        var head = nn.Linear(5, 9);
        head.weight = (Parameter)embedding.weight!;
        var tied = new LayerHost(("embed_tokens", embedding), ("lm_head", head));
        tied.to(ScalarType.Float64);
        var ids = tensor(new long[,] { { 4, 8, 0 }, { 1, 4, 7 } });
        using var tokens = tied.Create(new TrainableTokens([7, 0, 4]));
        // .to() kept the tie, so the head has a slot too.
        Assert.Equal(2, tokens.Slots().Count());
        Fill.Normal(tokens, 2);
        Gradients.Check(() => tied.forward(tokens, ids), [.. tokens.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
    }
}

[BitFit]
internal sealed partial class BiasedModel : nn.Module<Tensor, Tensor>
{
    internal readonly Linear inner = nn.Linear(6, 4);

    public BiasedModel() : base(nameof(BiasedModel)) => RegisterComponents();

    public override Tensor forward(Tensor x) => inner.forward(x);
}
