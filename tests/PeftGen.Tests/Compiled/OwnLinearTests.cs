using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace PeftGen.Tests.Compiled;

/// <summary>Linear layers that users write themselves carry what built-in ones carry, whichever way they keep their matrix.</summary>
public sealed class OwnLinearTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly OwnModel _model = new();
    private readonly Tensor _x = Fill.Values(3, 2, 5, 6);

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Their_orientation_is_read_from_their_bodies()
    {
        Assert.Equal([true, false, false, true], _model.Linears().Select(l => l.IsTransposed));
        Assert.Equal([true, true, false, false], _model.Linears().Select(l => l.Bias is not null));
    }

    [Fact]
    public void LoRA_adds_its_product_and_merges()
    {
        using var adapter = _model.CreateAdapter();
        TensorAssert.Same(_model.forward(_x), _model.forward(adapter, _x), "at the start");
        Fill.Normal(adapter, 2);
        var expected = _x;
        foreach (var (name, layer) in _model.Named())
        {
            var (a, b) = (Part(adapter, name, "lora_A"), Part(adapter, name, "lora_B"));
            Assert.Equal(layer.Outputs(), b.shape[0]);
            Assert.Equal(layer.Inputs(), a.shape[1]);
            expected = layer.forward(expected) + (2 * matmul(matmul(expected, a.t()), b.t()));
        }

        var adapted = _model.forward(adapter, _x);
        TensorAssert.Close(expected, adapted, 1e-5);
        adapter.MergeInto(_model);
        TensorAssert.Close(adapted, _model.forward(_x), 1e-5);
        adapter.UnmergeFrom(_model);
    }

    [Fact]
    public void IA3_scales_outputs_and_inputs_and_merges()
    {
        using var adapter = _model.CreateScalesAdapter();
        Fill.Normal(adapter, 2);
        var adapted = _model.forward(adapter, _x);
        Assert.False(adapted.allclose(_model.forward(_x)));
        adapter.MergeInto(_model);
        TensorAssert.Close(adapted, _model.forward(_x), 1e-5);
    }

    [Fact]
    public void Biases_train_beside_it()
    {
        using var adapter = _model.CreateBiasesAdapter();
        TensorAssert.Same(_model.forward(_x), _model.forward(adapter, _x), "at the start");
        Fill.Normal(adapter, 2);
        Assert.Contains(adapter.named_parameters(), p => p.name.EndsWith("lora_A", StringComparison.Ordinal));
        // One of the two is called bias, as HF PEFT looks for them.
        Assert.Single(adapter.named_parameters(), p => p.parameter.dim() == 1);
        var adapted = _model.forward(adapter, _x);
        adapter.MergeInto(_model);
        TensorAssert.Close(adapted, _model.forward(_x), 1e-5);
    }

    [Fact]
    public void A_weight_that_is_read_past_its_layer_is_the_adapted_one()
    {
        using var model = new PastModel();
        using var adapter = model.CreateAdapter();
        Fill.Normal(adapter, 2);
        var past = model.forward(adapter, _x);
        Assert.False(past.allclose(model.forward(_x)));
        adapter.MergeInto(model);
        TensorAssert.Close(past, model.forward(_x), 1e-5);
    }

    private static Tensor Part(nn.Module adapter, string layer, string name) =>
        adapter.named_parameters().Single(p => p.name.StartsWith(layer, StringComparison.Ordinal) && p.name.EndsWith(name, StringComparison.Ordinal)).parameter;
}

internal interface IOwn
{
    long Inputs();

    long Outputs();

    Tensor forward(Tensor x);
}

/// <summary>As GPT-2 keeps it: <c>[in, out]</c>.</summary>
public partial class Conv1D : Module<Tensor, Tensor>, IOwn
{
    internal readonly Parameter weight, bias;

    public Conv1D(long inputs, long outputs) : base("conv1d")
    {
        (weight, bias) = (new Parameter(Fill.Values(11, inputs, outputs)), new Parameter(Fill.Values(12, outputs)));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var flat = x.reshape(-1, x.shape[^1]);
        using var y = addmm(bias, flat, weight, 1, 1);
        return y.view([.. x.shape[..^1], -1]);
    }

    public long Inputs() => weight.shape[0];

    public long Outputs() => weight.shape[1];
}

/// <summary>As TorchSharp keeps it.</summary>
public partial class Plain : Module<Tensor, Tensor>, IOwn
{
    private readonly Parameter kernel;
    private readonly Parameter? offset;

    public Plain(long inputs, long outputs) : base("plain")
    {
        (kernel, offset) = (new Parameter(Fill.Values(13, outputs, inputs)), new Parameter(Fill.Values(14, outputs)));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => functional.linear(x, kernel, offset);

    public long Inputs() => kernel.shape[1];

    public long Outputs() => kernel.shape[0];
}

/// <summary>Turned round before it multiplies.</summary>
public partial class Turned : Module<Tensor, Tensor>, IOwn
{
    private readonly Parameter weight;

    public Turned(long inputs, long outputs) : base("turned")
    {
        weight = new Parameter(Fill.Values(15, outputs, inputs));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => x.matmul(weight.transpose(0, 1));

    public long Inputs() => weight.shape[1];

    public long Outputs() => weight.shape[0];
}

/// <summary>Within another class.</summary>
public static partial class Outer
{
    /// <summary>No bias, <c>[in, out]</c>.</summary>
    public partial class Bare : Module<Tensor, Tensor>, IOwn
    {
        private readonly Parameter weight;

        public Bare(long inputs, long outputs) : base("bare")
        {
            weight = new Parameter(Fill.Values(16, inputs, outputs));
            RegisterComponents();
        }

        public override Tensor forward(Tensor x) => matmul(x, weight);

        public long Inputs() => weight.shape[0];

        public long Outputs() => weight.shape[1];
    }
}

/// <summary>In a field, in a list, in a property, and behind the module that all derive from.</summary>
[LoRA(rank: 2, alpha: 4, targets: "all-linear")]
[IA3(targets: "c_attn,plain.*,turned,bare", feedforward: "c_attn,turned", Group = "scales")]
[LoRA(rank: 2, targets: "c_attn,plain.*", Bias = LoRABias.All, Group = "biases")]
public partial class OwnModel : Module<Tensor, Tensor>
{
    private readonly Conv1D c_attn = new(6, 4);
    private readonly ModuleList<Plain> plain = ModuleList(new Plain(4, 7));
    private readonly Turned turned = new(7, 3);
    private readonly Outer.Bare bare = new(3, 5);

    public OwnModel() : base("own") => RegisterComponents();

    internal IEnumerable<ILinearLayer> Linears() => Named().Select(n => (ILinearLayer)n.layer);

    internal IEnumerable<(string name, IOwn layer)> Named() => [("c_attn", c_attn), ("plain", plain[0]), ("turned", turned), ("bare", bare)];

    public override Tensor forward(Tensor x)
    {
        var y = c_attn.forward(x);
        foreach (var layer in plain)
            y = layer.call(y);
        Func<Tensor, Tensor> turn = turned.forward;
        return bare.forward(turn(y));
    }
}

/// <summary>Reads a layer's matrix and bias without calling it.</summary>
[LoRA(rank: 2, alpha: 4, targets: "c_attn", BiasInB = true)]
public partial class PastModel : Module<Tensor, Tensor>
{
    private readonly Conv1D c_attn = new(6, 4);

    public PastModel() : base("past") => RegisterComponents();

#pragma warning disable PG014 // What is tested.
    public override Tensor forward(Tensor x) => c_attn.forward(x) * (x.matmul(c_attn.weight) + c_attn.bias);
#pragma warning restore PG014
}
