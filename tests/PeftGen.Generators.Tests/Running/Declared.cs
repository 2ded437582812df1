using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Generators.Tests;

/// <summary>A model of tokens <c>[2, 5]</c>, its class <c>Model</c>, with one of the library's methods as a user would declare it: built, made, run, trained, merged.</summary>
internal sealed class Declared
{
    private readonly dynamic _model;
    private readonly dynamic _adapter;
    private readonly Tensor _ids = arange(10, dtype: ScalarType.Int64).mul_(7).remainder_(11).view(2, 5);

    private Declared(string attribute, string source)
    {
        random.manual_seed(3);
        var generated = Generated.From($"[{attribute}]\n{source}");
        Reported = [.. generated.Reported.Select(d => $"{d.Id}: {d.GetMessage(System.Globalization.CultureInfo.InvariantCulture)}")];
        _model = Activator.CreateInstance(RunningModel.Load(generated).GetTypes().Single(t => t.Name == "Model"))!;
        ((nn.Module)_model).eval();
        Base = _model.forward(_ids);
        _adapter = _model.CreateAdapter();
    }

    /// <summary>What the compiler said, without errors.</summary>
    public IReadOnlyList<string> Reported { get; }

    /// <summary>What the model says by itself.</summary>
    public Tensor Base { get; }

    /// <summary>What the model says with the adapter.</summary>
    public Tensor Adapted() => _model.forward(_adapter, _ids);

    /// <summary>The paths of all slots, in the order of the tree.</summary>
    public IReadOnlyList<string> Sites => [.. ((AdapterNode)_adapter).Slots().Select(slot => slot.Path)];

    /// <summary>Compiles a model with a method and checks what has to hold of any: the base stays as it is, every parameter learns, and merged is adapted.</summary>
    /// <param name="attribute">The method, without brackets.</param>
    /// <param name="source">The model's class, with others after it.</param>
    /// <param name="isIdentity">Whether a new adapter changes nothing.</param>
    public static Declared Check(string attribute, string source, bool isIdentity = true)
    {
        var run = new Declared(attribute, source);
        var start = run.Adapted();
        if (isIdentity)
            Assert.True(Same(run.Base, start), $"[{attribute}] is no identity at its start");
        run.Learns(attribute);
        Assert.True(Same(run.Base, run._model.forward(run._ids)), "the base changed");
        run.Merges();
        return run;
    }

    private void Learns(string attribute)
    {
        var parameters = ((nn.Module)_adapter).named_parameters().ToList();
        Assert.NotEmpty(parameters);
        using var generator = new Generator(5);
        using (no_grad())
            foreach (var (_, parameter) in parameters)
                parameter.add_(empty(parameter.shape).normal_(0, 0.3, generator));
        var output = Adapted();
        Assert.False(Same(Base, output));
        (output * rand_like(output)).sum().backward();
        foreach (var (name, parameter) in parameters)
            Assert.True(parameter.grad is { } grad && grad.abs().sum().item<float>() > 0, $"[{attribute}]: {name} gets no gradient");
    }

    private void Merges()
    {
        if (((object)_adapter).GetType().GetMethod("MergeInto") is null)
            return;
        var adapted = Adapted();
        _adapter.MergeInto(_model);
        Tensor merged = _model.forward(_ids);
        Assert.True(merged.allclose(adapted, 1e-4, 1e-4), $"merged differs from adapted by {(merged - adapted).abs().max().item<float>()}");
        _adapter.UnmergeFrom(_model);
        Assert.True(Same(Base, _model.forward(_ids)));
    }

    private static bool Same(Tensor a, Tensor b) => a.shape.SequenceEqual(b.shape) && a.data<float>().ToArray().SequenceEqual(b.data<float>().ToArray());
}
