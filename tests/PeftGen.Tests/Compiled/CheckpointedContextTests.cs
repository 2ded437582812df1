using System.Reflection;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>Blocks that are computed again know all of their call that they knew the first time.</summary>
public sealed class CheckpointedContextTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Tensor _ids = tensor(new long[,] { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 0 } });

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Rows_with_prefixes_of_several_lengths_have_positions_of_their_own()
    {
        var model = new PositionModel();
        var (a, b) = (model.CreateAdapter(new PrefixTuning(2, "attn")), model.CreateAdapter(new PrefixTuning(5, "attn")));
        Fill.Normal(a, 2, 0.3);
        Fill.Normal(b, 3, 0.3);
        var rows = Rows.Of<PositionModel.Adapter>(a, b, null);
        var (plain, gradients) = Run(model, rows, a, b);
        // Each row is what it is alone.
        TensorAssert.Close(model.forward(a, _ids.narrow(0, 0, 1)), plain.narrow(0, 0, 1), 1e-5, "the first row");
        TensorAssert.Close(model.forward(b, _ids.narrow(0, 1, 1)), plain.narrow(0, 1, 1), 1e-5, "the second row");
        rows.GradientCheckpointing = true;
        var (again, others) = Run(model, rows, a, b);
        TensorAssert.Same(plain, again, "outputs");
        foreach (var (gradient, other) in gradients.Zip(others))
            TensorAssert.Close(gradient, other, 1e-5, "a gradient");
    }

    /// <summary>A new property of a call cannot be left out of the context in which a block runs again.</summary>
    [Fact]
    public void A_copy_has_every_property_of_the_call()
    {
        const BindingFlags All = BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic;
        using var context = new ForwardContext(new ForwardOptions(), new Off()) { PastTokens = 3, PositionShift = 4, QueriesStay = true };
        var properties = typeof(ForwardContext).GetProperties(All).Where(p => p.GetIndexParameters().Length == 0 && p.Name is not ("Inputs" or "Root" or "RunsBase")).ToList();
        properties.Single(p => p.Name == "PositionShifts").SetValue(context, new long[] { 1, 2 });
        using var copy = (ForwardContext)typeof(ForwardContext).GetMethod("Copy", All)!.Invoke(context, [new Dictionary<InputRole, Tensor>(), false])!;
        Assert.True(properties.Count >= 6);
        Assert.All(properties, property => Assert.Equal(property.GetValue(context), property.GetValue(copy)));
        Assert.False(copy.Training);
    }

    [Fact]
    public void What_is_recorded_is_recorded_once()
    {
        var model = new PositionModel();
        var adapter = model.CreateAdapter(new PrefixTuning(2, "attn") { Gated = true });
        Fill.Normal(adapter, 2, 0.3);
        adapter.GradientCheckpointing = true;
        var records = new Dictionary<string, Tensor>();
        model.forward(adapter, new ForwardOptions { Records = records }, _ids).sum().backward();
        var after = records.ToDictionary(r => r.Key, r => r.Value.Handle);
        Assert.Equal(2, after.Count);
    }

    private (Tensor y, List<Tensor> gradients) Run(PositionModel model, PositionModel.Adapter adapter, params PositionModel.Adapter[] parts)
    {
        foreach (var part in parts)
            part.zero_grad();
        var y = model.forward(adapter, _ids);
        y.square().sum().backward();
        return (y, [.. parts.SelectMany(p => p.parameters()).Select(p => p.grad!.clone())]);
    }

    private sealed class Off : nn.Module
    {
        public Off() : base("off") => eval();
    }
}

[PrefixTuning(3, "attn")]
[LoRA(rank: 2, alpha: 4, targets: "v_proj", Group = "L")]
internal sealed partial class PositionModel : nn.Module<Tensor, Tensor>
{
    private readonly Embedding emb = nn.Embedding(9, 8);
    private readonly ModuleList<PositionBlock> layers = nn.ModuleList(new PositionBlock(), new PositionBlock());

    public PositionModel() : base(nameof(PositionModel))
    {
        RegisterComponents();
        Fill.Normal(this, 1, 0.5);
    }

    public override Tensor forward(Tensor input_ids)
    {
        var x = emb.forward(input_ids);
        foreach (var layer in layers)
            x = layer.forward(x);
        return x;
    }
}

[GradientCheckpointing]
internal sealed partial class PositionBlock : nn.Module<Tensor, Tensor>
{
    private readonly PositionAttention attn = new();

    public PositionBlock() : base(nameof(PositionBlock)) => RegisterComponents();

    public override Tensor forward(Tensor x) => x + attn.forward(x);
}

internal sealed partial class PositionAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear q_proj = nn.Linear(8, 8), k_proj = nn.Linear(8, 8), v_proj = nn.Linear(8, 8), o_proj = nn.Linear(8, 8);

    public PositionAttention() : base(nameof(PositionAttention)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        var positions = Attention.Positions(arange(x.shape[1]).unsqueeze(0));
        var angle = positions.to(ScalarType.Float32).unsqueeze(-1) * tensor(new[] { 1f, 0.3f, 0.1f, 0.03f, 1f, 0.3f, 0.1f, 0.03f });
        var (q, k, v) = (Turned(q_proj.forward(x), angle).unsqueeze(1), Turned(k_proj.forward(x), angle).unsqueeze(1), v_proj.forward(x).unsqueeze(1));
        return o_proj.forward(nn.functional.scaled_dot_product_attention(q, k, v).squeeze(1));
    }

    private static Tensor Turned(Tensor x, Tensor angle) => (x * angle.cos()) + (cat([-x[TensorIndex.Ellipsis, 4..], x[TensorIndex.Ellipsis, ..4]], -1) * angle.sin());
}
