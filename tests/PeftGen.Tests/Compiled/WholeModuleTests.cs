using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>Modules of several layers that train whole beside LoRA.</summary>
public sealed class WholeModuleTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly HeadedModel _model = new();
    private readonly Tensor _x = Fill.Values(3, 4, 6);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Every_parameter_below_it_trains_under_its_own_name()
    {
        using var adapter = _model.CreateAdapter();
        TensorAssert.Same(_model.forward(_x), _model.forward(adapter, _x), "at the start");
        Assert.Equal(
            ["classifier.dense.bias", "classifier.dense.weight", "classifier.norm.bias", "classifier.norm.weight", "classifier.out_proj.bias", "classifier.out_proj.weight", "classifier.scale"],
            Keys(adapter).Where(key => key.StartsWith("classifier.", StringComparison.Ordinal)));
        _model.forward(adapter, _x).square().sum().backward();
        Assert.All(adapter.named_parameters().Where(p => !p.name.EndsWith("lora_A", StringComparison.Ordinal)), p => Assert.True(p.parameter.grad is { } g && g.abs().max().item<float>() > 0, $"{p.name} has no gradient"));
        Assert.All(_model.parameters(), p => Assert.Null(p.grad));
    }

    [Fact]
    public void It_runs_with_the_copies_merges_and_comes_back_from_its_file()
    {
        using var adapter = _model.CreateAdapter();
        Fill.Normal(adapter, 2);
        var (before, adapted) = (_model.forward(_x), _model.forward(adapter, _x));
        using var folder = new TempFolder();
        adapter.Save(folder.Path);
        using var loaded = _model.LoadAdapter(folder.Path);
        TensorAssert.Same(adapted, _model.forward(loaded, _x), "loaded");
        adapter.MergeInto(_model);
        TensorAssert.Close(adapted, _model.forward(_x), 1e-5);
        adapter.UnmergeFrom(_model);
        TensorAssert.Same(before, _model.forward(_x), "unmerged");
    }

    private static IEnumerable<string> Keys(AdapterNode adapter) =>
        adapter.Slots().SelectMany(slot => slot.Stored(FileFormat.HuggingFace)).Select(s => s.Key["base_model.model.".Length..]).Order(StringComparer.Ordinal);
}

[LoRA(2, 4, "query", ModulesToSave = "classifier")]
public partial class HeadedModel : nn.Module<Tensor, Tensor>
{
    private readonly Linear query = nn.Linear(6, 6);
    private readonly SeveralLayers classifier = new();

    public HeadedModel() : base(nameof(HeadedModel))
    {
        RegisterComponents();
        Fill.Normal(this, 1);
    }

    public override Tensor forward(Tensor x)
    {
        using var hidden = query.forward(x);
        return classifier.forward(hidden);
    }
}

public partial class SeveralLayers : nn.Module<Tensor, Tensor>
{
    private readonly Linear dense = nn.Linear(6, 5);
    private readonly LayerNorm norm = nn.LayerNorm(5);
    private readonly Linear out_proj = nn.Linear(5, 3);
    private readonly Parameter scale = nn.Parameter(torch.ones(3));

    public SeveralLayers() : base(nameof(SeveralLayers)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var inner = dense.forward(x);
        using var normed = norm.forward(inner);
        using var y = out_proj.forward(normed);
        return y * scale;
    }
}
