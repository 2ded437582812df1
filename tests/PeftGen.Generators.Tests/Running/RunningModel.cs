using System.Reflection;
using Microsoft.CodeAnalysis;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Generators.Tests;

/// <summary>A project that was compiled with the generator and loaded: its class <c>Model</c>, from [2, 3, 4] to a tensor, with an adapter.</summary>
internal sealed class RunningModel
{
    private readonly dynamic _model;
    private readonly dynamic _adapter;
    private readonly Tensor _input = randn(2, 3, 4, generator: new Generator(7));

    private RunningModel(Assembly assembly)
    {
        Assembly = assembly;
        _model = Activator.CreateInstance(assembly.GetTypes().Single(t => t.Name == "Model"))!;
        Draw((nn.Module)_model);
        Base = _model.forward(_input);
        _adapter = _model.CreateAdapter();
    }

    public Assembly Assembly { get; }

    public dynamic Model => _model;

    public dynamic Adapter => _adapter;

    public Tensor Input => _input;

    /// <summary>What the model said before it knew of adapters.</summary>
    public Tensor Base { get; }

    public Tensor Adapted() => _model.forward(_adapter, _input);

    public static Assembly Load(Generated generated)
    {
        using var image = new MemoryStream();
        var emitted = generated.AssertCompiles().Compilation.Emit(image);
        Assert.True(emitted.Success, string.Join("\n", emitted.Diagnostics.Where(d => d.Severity == DiagnosticSeverity.Error)));
        return Assembly.Load(image.ToArray());
    }

    /// <summary>Compiles and runs a model and checks all that must be true of any.</summary>
    /// <param name="model">The source of a public class <c>Model</c>; it may hold others.</param>
    /// <param name="sites">The paths of the slots, in the order of the tree.</param>
    public static RunningModel Check(string model, params string[] sites) => Check([("Model.cs", model)], sites);

    /// <inheritdoc cref="Check(string, string[])"/>
    public static RunningModel Check((string path, string text)[] files, params string[] sites)
    {
        var running = new RunningModel(Load(Generated.From(Project.Of(files))));
        running.SitesAre(sites);
        running.StartsAsTheBase();
        running.EverySiteActs();
        running.EverySiteLearns();
        running.MergesToTheSame();
        return running;
    }

    private IEnumerable<Slot> Slots => ((AdapterNode)_adapter).Slots();

    private List<Parameter> Parameters => ((nn.Module)_adapter).parameters().ToList();

    private void SitesAre(string[] sites) => Assert.Equal(sites, Slots.Select(s => s.Path));

    private void StartsAsTheBase()
    {
        AssertBits(Base, Adapted());
        AssertBits(Base, _model.forward(_input));
        AssertBits(Base, _model.With(_adapter).forward(_input));
    }

    private void EverySiteActs()
    {
        foreach (var parameter in Parameters)
        {
            Fill(parameter, 2);
            Assert.False(Same(Base, Adapted()), $"{PathOf(parameter)} changes nothing");
            AssertBits(Base, _model.forward(_input));
            Fill(parameter, 1);
        }
    }

    private void EverySiteLearns()
    {
        Vary();
        var output = Adapted();
        (output * rand_like(output)).sum().backward();
        foreach (var parameter in Parameters)
            Assert.True(parameter.grad is { } g && g.abs().sum().item<float>() > 0, $"{PathOf(parameter)} gets no gradient");
        foreach (var parameter in ((nn.Module)_model).parameters())
            Assert.True(parameter.grad is null && !parameter.requires_grad);
    }

    /// <summary>A merged layer gives what its slot gave: so each call went through the right slot, once.</summary>
    private void MergesToTheSame()
    {
        if (((object)_adapter).GetType().GetMethod("MergeInto") is null)
            return;
        Vary();
        var adapted = Adapted();
        Assert.False(Same(Base, adapted));
        _adapter.MergeInto(_model);
        Tensor merged = _model.forward(_input);
        Assert.True(merged.allclose(adapted, 1e-4, 1e-5), $"merged differs from adapted by {(merged - adapted).abs().max().item<float>()}");
        _adapter.UnmergeFrom(_model);
        AssertBits(Base, _model.forward(_input));
    }

    // Weights of chance could leave nothing of a relu for a site to act on. A generator of its own: tests run at the same time.
    private static void Draw(nn.Module model)
    {
        using var generator = new Generator(11);
        using (no_grad())
            foreach (var parameter in model.parameters())
                parameter.uniform_(-0.5, 0.7, generator);
    }

    private void Vary()
    {
        var value = 1.3f;
        foreach (var parameter in Parameters)
            Fill(parameter, value += 0.1f);
    }

    private static void Fill(Parameter parameter, float value)
    {
        using (no_grad())
            parameter.fill_(value);
    }

    private string PathOf(Parameter parameter) => ((nn.Module)_adapter).named_parameters().First(p => p.parameter.Handle == parameter.Handle).name;

    private static bool Same(Tensor a, Tensor b) => a.data<float>().ToArray().SequenceEqual(b.data<float>().ToArray());

    private static void AssertBits(Tensor expected, Tensor actual) => Assert.True(Same(expected, actual), "the output is not the base's bit for bit");
}
