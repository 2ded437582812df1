using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Norms with running statistics that train whole: the statistics are the adapter's, and the base's stay as they are.</summary>
public sealed class NormStatisticsTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly TempFolder _folder = new();

    public void Dispose()
    {
        _folder.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Training_moves_the_adapter_s_alone_and_the_file_has_them()
    {
        var model = new NormModel(momentum: 0.2);
        var before = Copy(model);
        var adapter = model.CreateAdapter();
        Fill.Normal(adapter, 2, 0.5);
        // What a plain norm of these numbers does.
        var expected = nn.BatchNorm1d(4, momentum: 0.2);
        for (var step = 0; step < 3; step++)
        {
            var x = Fill.Values((ulong)step, 8, 4) + 3;
            model.forward(adapter, x);
            expected.forward(Adapted(model, adapter, x));
        }

        Assert.All(model.state_dict(), entry => TensorAssert.Same(before[entry.Key], entry.Value, entry.Key));
        var buffers = adapter.named_buffers().ToDictionary(b => b.name[(b.name.LastIndexOf('.') + 1)..], b => b.buffer);
        TensorAssert.Close(expected.running_mean!, buffers["running_mean"], 1e-5, "mean");
        TensorAssert.Close(expected.running_var!, buffers["running_var"], 1e-5, "variance");
        Assert.Equal(3, buffers["num_batches_tracked"].to(ScalarType.Int64).item<long>());

        adapter.Save(_folder.Path);
        using (var file = SafetensorsFile.Open(_folder["adapter_model.safetensors"]))
            Assert.Superset(
                new HashSet<string> { "base_model.model.bn.weight", "base_model.model.bn.bias", "base_model.model.bn.running_mean", "base_model.model.bn.running_var", "base_model.model.bn.num_batches_tracked" },
                file.Names.ToHashSet());

        var fresh = new NormModel(momentum: 0.2);
        fresh.load_state_dict(before);
        fresh.eval();
        model.eval();
        adapter.eval();
        var input = Fill.Values(9, 3, 4);
        var adapted = model.forward(adapter, input);
        TensorAssert.Same(adapted, fresh.forward(fresh.LoadAdapter(_folder.Path), input), "loaded on a fresh base");

        adapter.MergeInto(model);
        TensorAssert.Close(adapted, model.forward(input), 1e-5, "merged");
        adapter.UnmergeFrom(model);
        Assert.All(model.state_dict(), entry => TensorAssert.Same(before[entry.Key], entry.Value, entry.Key + " unmerged"));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public void They_stand_still_where_either_is_in_evaluation_mode(bool model, bool adapter)
    {
        var host = new NormModel();
        var made = host.CreateAdapter();
        host.train(model);
        made.train(adapter);
        var before = made.named_buffers().ToDictionary(b => b.name, b => b.buffer.clone());
        host.forward(made, Fill.Values(1, 8, 4));
        Assert.Equal(3, before.Count);
        Assert.All(made.named_buffers(), b => TensorAssert.Same(before[b.name], b.buffer, b.name));
    }

    /// <summary>At the start it is the base's norm, bit for bit, in both modes.</summary>
    [Theory]
    [InlineData(false, 0.1)]
    [InlineData(true, 0.1)]
    public void A_new_copy_gives_what_the_base_gives(bool train, double momentum)
    {
        foreach (var (layer, x) in new (nn.Module<Tensor, Tensor>, Tensor)[]
        {
            (nn.BatchNorm1d(4, momentum: momentum), Fill.Values(1, 6, 4)),
            (nn.BatchNorm2d(4), Fill.Values(1, 2, 4, 3, 3)),
            (nn.BatchNorm3d(4), Fill.Values(1, 2, 4, 2, 3, 3)),
            (nn.BatchNorm1d(4, track_running_stats: false), Fill.Values(1, 6, 4)),
            (nn.InstanceNorm1d(4, affine: true, track_running_stats: true), Fill.Values(1, 2, 4, 5)),
            (nn.InstanceNorm2d(4, affine: true), Fill.Values(1, 2, 4, 3, 3)),
            (nn.InstanceNorm2d(4, affine: true), Fill.Values(1, 4, 3, 3)),
            (nn.InstanceNorm3d(4, affine: true, track_running_stats: true), Fill.Values(1, 2, 4, 2, 3, 3)),
        })
        {
            var host = new LayerHost(("norm", layer));
            host.train(train);
            var adapter = host.Create(new LNTuning("norm"));
            adapter.train(train);
            var adapted = host.forward(adapter, x);
            TensorAssert.Same(host.forward(x), adapted, layer.GetType().Name);
        }
    }

    [Fact]
    public void A_block_that_is_computed_again_moves_them_once()
    {
        foreach (var whole in (bool[])[false, true])
        {
            var (plain, again) = (new CheckpointedNorms(), new CheckpointedNorms());
            again.load_state_dict(plain.state_dict());
            foreach (var (model, checkpointing) in new[] { (plain, false), (again, true) })
            {
                CheckpointedNorms.Adapter adapter = whole ? model.CreateWholeAdapter() : model.CreateAdapter(generator: new Generator(3));
                Fill.Normal(adapter, 2, 0.5);
                adapter.GradientCheckpointing = checkpointing;
                for (ulong step = 0; step < 2; step++)
                    model.forward(adapter, Fill.Values(step, 8, 4) + 2).square().sum().backward();
                model.Seen = [.. model.buffers().Concat(adapter.buffers()).Select(b => b.clone())];
            }

            Assert.Equal(plain.Seen.Count, again.Seen.Count);
            foreach (var (expected, actual) in plain.Seen.Zip(again.Seen))
                TensorAssert.Same(expected, actual, $"whole {whole}");
        }
    }

    private static Tensor Adapted(NormModel model, NormModel.Adapter adapter, Tensor x)
    {
        // The same adapter before its norm.
        model.StopsBefore = true;
        var h = model.forward(adapter, x);
        model.StopsBefore = false;
        return h;
    }

    private static Dictionary<string, Tensor> Copy(nn.Module module) => module.state_dict().ToDictionary(e => e.Key, e => e.Value.detach().clone());
}

[LoRA(rank: 2, alpha: 4, targets: "fc", ModulesToSave = "bn")]
internal sealed partial class NormModel : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc = nn.Linear(4, 4);
    private readonly BatchNorm1d bn;

    public NormModel(double momentum = 0.1) : base(nameof(NormModel))
    {
        bn = nn.BatchNorm1d(4, momentum: momentum);
        RegisterComponents();
    }

    public bool StopsBefore { get; set; }

    public override Tensor forward(Tensor x)
    {
        var h = fc.forward(x);
        return StopsBefore ? h : bn.forward(h);
    }
}

#pragma warning disable PG075 // The base's statistics are what is looked at.

[LoRA(rank: 2, alpha: 4, targets: "fc")]
[LoRA(rank: 2, alpha: 4, targets: "fc", ModulesToSave = "norm", Group = "Whole")]
internal sealed partial class CheckpointedNorms : nn.Module<Tensor, Tensor>
{
    private readonly ModuleList<CheckpointedNorm> layers = nn.ModuleList(new CheckpointedNorm(), new CheckpointedNorm());

    public CheckpointedNorms() : base(nameof(CheckpointedNorms)) => RegisterComponents();

    public List<Tensor> Seen { get; set; } = [];

    public override Tensor forward(Tensor x)
    {
        foreach (var layer in layers)
            x = layer.forward(x);
        return x;
    }
}

[GradientCheckpointing]
internal sealed partial class CheckpointedNorm : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc = nn.Linear(4, 4);
    private readonly BatchNorm1d norm = nn.BatchNorm1d(4);

    public CheckpointedNorm() : base(nameof(CheckpointedNorm)) => RegisterComponents();

    public override Tensor forward(Tensor x) => x + norm.forward(fc.forward(x));
}
