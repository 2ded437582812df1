using System.Reflection;
using PeftGen.Compiled;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>Weights that are read past their layer, in adapters that leave the layer alone: their slot is empty.</summary>
public sealed class WeightPastLayerTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void An_adapter_that_leaves_the_layer_alone_reads_the_base_s()
    {
        var model = new PastLayer();
        var x = rand(2, 4);
        TensorAssert.Same(model.forward(x), model.forward(model.CreateAdapter(), x));
        TensorAssert.Same(model.forward(x), model.forward(model.CreateHeadAdapter(), x));
        var both = Stack.Of<PastLayer.Adapter>(model.CreateAdapter(), model.CreateHeadAdapter());
        TensorAssert.Close(model.forward(x), model.forward(both, x), 1e-6);
    }

    [Fact]
    public void An_adapter_of_the_layer_reads_what_it_makes_of_it()
    {
        var model = new PastLayer();
        var x = rand(2, 4);
        var adapter = model.CreateHeadAdapter();
        Methods.Hosts.Fill.Normal(adapter, 2);
        var adapted = model.forward(adapter, x);
        Assert.False(adapted.allclose(model.forward(x)));
        adapter.MergeInto(model);
        TensorAssert.Close(adapted, model.forward(x), 1e-5);
    }

    /// <summary>Code calls an extension on a slot that may be null; a method of the slot's own under that name would be called instead, and fail.</summary>
    [Fact]
    public void No_extension_is_hidden_by_a_method_of_what_it_extends()
    {
        var extensions = new[] { typeof(SlotCalls), typeof(AbstractCalls) }.SelectMany(type => type.GetMethods(BindingFlags.Public | BindingFlags.Static))
            .Where(method => !method.IsGenericMethod && method.GetParameters() is [{ ParameterType: { IsClass: true } }, ..]).ToList();
        Assert.True(extensions.Count >= 8);
        foreach (var extension in extensions)
        {
            var parameters = extension.GetParameters();
            var hiding = parameters[0].ParameterType.GetMethods().Where(own => own.Name == extension.Name
                && own.GetParameters().Select(p => p.ParameterType).SequenceEqual(parameters.Skip(1).Take(own.GetParameters().Length).Select(p => p.ParameterType))
                && own.GetParameters().Length == parameters.Length - 1);
            Assert.True(!hiding.Any(), $"{extension} is hidden by {hiding.FirstOrDefault()}");
        }
    }
}

#pragma warning disable PG014 // Reading past the layer is what is tested.

[LoRA(rank: 2, alpha: 4, targets: "fc")]
[LoRA(rank: 2, alpha: 4, targets: "head,own", Group = "Head")]
internal sealed partial class PastLayer : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc = nn.Linear(4, 4), head = nn.Linear(4, 4);
    private readonly PastOwnLinear own = new();

    public PastLayer() : base(nameof(PastLayer)) => RegisterComponents();

    public bool CallsLayers { get; set; }

    public override Tensor forward(Tensor x)
    {
        var h = fc.forward(x);
        return CallsLayers ? own.forward(head.forward(h)) : nn.functional.linear(nn.functional.linear(h, head.weight, head.bias), own.weight, own.bias);
    }
}

internal sealed partial class PastOwnLinear : nn.Module<Tensor, Tensor>
{
    public readonly Parameter weight = nn.Parameter(rand(4, 4)), bias = nn.Parameter(rand(4));

    public PastOwnLinear() : base(nameof(PastOwnLinear)) => RegisterComponents();

    public override Tensor forward(Tensor x) => nn.functional.linear(x, weight, bias);
}
