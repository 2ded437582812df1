using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary><see cref="LoRA.Layers"/> takes the first number of a path, as HF PEFT's <c>layers_to_transform</c> does.</summary>
public sealed class LayersTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(new[] { 1 }, "model.layers.1.mlp.0.lin model.layers.1.mlp.2.lin model.layers.1.experts.0.up model.layers.1.experts.1.up")]
    [InlineData(new[] { 2 }, "model.layers.2.mlp.0.lin model.layers.2.mlp.2.lin model.layers.2.experts.0.up model.layers.2.experts.1.up")]
    public void Of_a_block_with_experts_and_a_sequence(int[] layers, string sites)
    {
        var model = new NumberedModel();
        Assert.Equal(sites.Split(' '), model.CreateAdapter(new LoRA(2, targets: "mlp.*.lin,up") { Layers = layers }).Slots().Select(s => s.Path));
    }

    /// <summary>Each stack begins at 0, as in T5: both blocks 0, and all their sub-layers.</summary>
    [Fact]
    public void Of_several_stacks() => Assert.Equal(
        ["encoder.0.layer.0.q", "encoder.0.layer.1.q", "decoder.0.layer.0.q", "decoder.0.layer.1.q"],
        new StacksModel().CreateAdapter(new LoRA(2, targets: "q") { Layers = [0] }).Slots().Select(s => s.Path));

    [Fact]
    public void Of_blocks_at_the_root() => Assert.Equal(["decoder.1.layer.0.q"], new StacksModel().CreateAdapter(new LoRA(2, targets: "decoder.*.layer.0.q") { Layers = [1] }).Slots().Select(s => s.Path));

    [Theory]
    [InlineData(new[] { 7 }, "Layers names block 7, and the targets 'up' are in blocks 0, 1, 2 of this model")]
    [InlineData(new[] { 1, 3 }, "Layers names block 3, and the targets 'up' are in blocks 0, 1, 2 of this model")]
    public void Blocks_that_there_are_not(int[] layers, string message) =>
        Assert.Contains(message, Assert.Throws<AdapterException>(() => new NumberedModel().CreateAdapter(new LoRA(2, targets: "up") { Layers = layers })).Message, StringComparison.Ordinal);
}

[LoRA(rank: 2, targets: "mlp.*.lin,up")]
internal sealed partial class NumberedModel : nn.Module<Tensor, Tensor>
{
    private readonly NumberedBody model = new();

    public NumberedModel() : base(nameof(NumberedModel)) => RegisterComponents();

    public override Tensor forward(Tensor x) => model.forward(x);
}

internal sealed partial class NumberedBody : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<NumberedBlock> layers = nn.ModuleList(new NumberedBlock(), new NumberedBlock(), new NumberedBlock());

    public NumberedBody() : base(nameof(NumberedBody)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        foreach (var layer in layers)
            x = layer.forward(x);
        return x;
    }
}

internal sealed partial class NumberedBlock : nn.Module<Tensor, Tensor>
{
    private readonly Sequential mlp = nn.Sequential(new NumberedDense(), nn.ReLU(), new NumberedDense());
    private readonly ModuleList<NumberedExpert> experts = nn.ModuleList(new NumberedExpert(), new NumberedExpert());

    public NumberedBlock() : base(nameof(NumberedBlock)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        x = x + mlp.forward(x);
        foreach (var expert in experts)
            x = x + expert.forward(x);
        return x;
    }
}

internal sealed partial class NumberedDense : nn.Module<Tensor, Tensor>
{
    private readonly Linear lin = nn.Linear(4, 4);

    public NumberedDense() : base(nameof(NumberedDense)) => RegisterComponents();

    public override Tensor forward(Tensor x) => lin.forward(x);
}

internal sealed partial class NumberedExpert : nn.Module<Tensor, Tensor>
{
    private readonly Linear up = nn.Linear(4, 4);

    public NumberedExpert() : base(nameof(NumberedExpert)) => RegisterComponents();

    public override Tensor forward(Tensor x) => up.forward(x);
}

[LoRA(rank: 2, targets: "q")]
internal sealed partial class StacksModel : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<StacksBlock> encoder = nn.ModuleList(new StacksBlock(), new StacksBlock()), decoder = nn.ModuleList(new StacksBlock(), new StacksBlock());

    public StacksModel() : base(nameof(StacksModel)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        foreach (var block in encoder)
            x = block.forward(x);
        foreach (var block in decoder)
            x = block.forward(x);
        return x;
    }
}

internal sealed partial class StacksBlock : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<StacksPart> layer = nn.ModuleList(new StacksPart(), new StacksPart());

    public StacksBlock() : base(nameof(StacksBlock)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        foreach (var part in layer)
            x = part.forward(x);
        return x;
    }
}

internal sealed partial class StacksPart : nn.Module<Tensor, Tensor>
{
    private readonly Linear q = nn.Linear(4, 4);

    public StacksPart() : base(nameof(StacksPart)) => RegisterComponents();

    public override Tensor forward(Tensor x) => q.forward(x);
}
