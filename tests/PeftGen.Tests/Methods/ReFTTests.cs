using PeftGen.Compiled;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Tests.Methods;

/// <summary>ReFT on what a layer returns: which tokens change, and how.</summary>
public sealed class ReFTTests : IDisposable
{
    private const long Dim = 6;
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly LayerHost _host = new(("embed_tokens", nn.Embedding(9, Dim)));
    private readonly Tensor _ids = tensor(new long[,] { { 1, 2, 3, 4, 5 }, { 0, 0, 6, 7, 8 }, { 5, 0, 0, 0, 0 } });
    private readonly Tensor _mask = tensor(new long[,] { { 1, 1, 1, 1, 1 }, { 0, 0, 1, 1, 1 }, { 1, 0, 0, 0, 0 } });

    public static TheoryData<ReFT> Forms => new()
    {
        new LoReFT(2, 2, 1, "embed_tokens"),
        new LoReFT(2, 2, 1, "embed_tokens") { StoresBase = true, NonLinearity = "gelu" },
        new LoReFT(2, 2, 1, "embed_tokens") { Tied = true },
        new NoReFT(3, 2, 1, "embed_tokens") { NonLinearity = "tanh" },
        new DiReFT(2, 2, 1, "embed_tokens"),
        new DiReFT(2, 2, 1, "embed_tokens") { Orthogonal = true },
    };

    public void Dispose() => _scope.Dispose();

    [Theory]
    [MemberData(nameof(Forms))]
    public void The_ends_of_each_row_change_by_the_formula_and_nothing_else(ReFT form)
    {
        var adapter = Filled(form);
        var h = _host.forward(_ids);
        var expected = h.clone();
        // Row 2 has one token: the last one's change holds there.
        foreach (var (row, token, end) in ((int, int, int)[])[(0, 0, 0), (0, 1, 0), (0, 4, 1), (1, 2, 0), (1, 3, 0), (1, 4, 1), (2, 0, 1)])
            expected[row, token] = Changed(form, adapter, h[row, token], form.Tied ? 0 : end);
        var found = Run(adapter);
        TensorAssert.Close(expected, found, Tolerance);
        Assert.True((found - h).abs().max().item<float>() > 0.1, "it changes nothing");
    }

    [Fact]
    public void Tokens_behind_a_cache_change_only_among_the_first()
    {
        var adapter = Filled(new NoReFT(2, 3, 2, "embed_tokens"));
        var h = _host.forward(_ids);
        // With two real tokens before, the third of all is the first of these; with padding before, the first three are these'.
        Assert.Equal([true, false, false, false, false], ChangedBehind(ones_like(_mask[TensorIndex.Colon, ..2])));
        Assert.Equal([true, true, true, false, false], ChangedBehind(zeros_like(_mask[TensorIndex.Colon, ..2])));

        bool[] ChangedBehind(Tensor past)
        {
            using var context = new ForwardContext { PastTokens = 2 };
            context[InputRole.AttentionMask] = cat([past, _mask], 1);
            var found = adapter.Slot("embed_tokens").forward(context, (nn.Module<Tensor, Tensor>)_host.named_children().Single().module, _ids);
            return (found - h).abs().sum([2L]).gt(1e-4)[0].data<bool>().ToArray();
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_directions_stay_orthonormal_under_weight_decay(bool storesBase)
    {
        var adapter = _host.Create(new LoReFT(3, 2, 1, "embed_tokens") { StoresBase = storesBase });
        var before = Directions(adapter)[0].clone();
        using var optimizer = optim.AdamW(adapter.parameters(), 0.05, weight_decay: 0.5);
        for (var step = 0; step < 20; step++)
        {
            optimizer.zero_grad();
            Run(adapter).square().sum().backward();
            optimizer.step();
        }

        foreach (var r in Directions(adapter))
            TensorAssert.Close(eye(3), r.matmul(r.t()), Tolerance);
        Assert.True((Directions(adapter)[0] - before).abs().max().item<float>() > 0.01, "R did not learn");
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void Gradients_are_those_of_differences(ReFT form)
    {
        var host = new LayerHost(("embed_tokens", nn.Embedding(9, Dim)));
        host.to(ScalarType.Float64);
        var adapter = host.Create(form);
        adapter.eval();
        Fill.Normal(adapter, 2);
        Gradients.Check(() => host.forward(adapter, Options(), _ids), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
    }

    [Fact]
    public void A_new_one_trains_no_weights_for_an_end_that_does_not_change()
    {
        var adapter = _host.Create(new LoReFT(targets: "embed_tokens"));
        Assert.Equal(1 + (2 * Dim), adapter.parameters().Sum(p => p.numel()));
        Assert.Equal(1 + (2 * Dim), adapter.Slots().SelectMany(s => s.Stored(FileFormat.HuggingFace)).Sum(s => s.Value.numel()));
    }

    [Fact]
    public void Dropout_acts_in_training_alone()
    {
        var adapter = Filled(new NoReFT(2, 2, 1, "embed_tokens") { Dropout = 0.5 });
        adapter.eval();
        TensorAssert.Same(Run(adapter), Run(adapter));
        adapter.train();
        Assert.True((Run(adapter) - Run(adapter)).abs().max().item<float>() > 0.1);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_file_gives_the_same_adapter(ReFT form)
    {
        var adapter = Filled(form);
        using var folder = new TempFolder();
        adapter.Save(folder.Path);
        var loaded = _host.Load(folder.Path, form);
        loaded.eval();
        TensorAssert.Same(Run(adapter), Run(loaded));
    }

    [Fact]
    public void For_AdapterHub_an_R_without_a_base_has_the_identity_and_the_signs_that_it_multiplies_by()
    {
        var adapter = Filled(new LoReFT(2, 2, 1, "embed_tokens"));
        var written = adapter.Slots().SelectMany(slot => slot.Stored(FileFormat.AdapterHub)).ToDictionary(stored => stored.Key, stored => stored.Value);
        var based = _host.Create(new LoReFT(2, 2, 1, "embed_tokens") { StoresBase = true });
        based.eval();
        var read = based.Slots().SelectMany(slot => slot.Stored(FileFormat.AdapterHub)).ToDictionary(stored => stored.Key, stored => stored.Value);
        Assert.Equal(read.Keys.Order(StringComparer.Ordinal), written.Keys.Order(StringComparer.Ordinal));
        using (no_grad())
            foreach (var (key, value) in read)
                value.copy_(written[key]);
        TensorAssert.Close(Run(adapter), Run(based), Tolerance);
        foreach (var (key, value) in written.Where(entry => entry.Key.EndsWith("original", StringComparison.Ordinal)))
            TensorAssert.Same(full([2], -1f), value.diagonal(), key);
        // One end only: there is a unit for the other.
        Assert.Contains(_host.Create(new LoReFT(targets: "embed_tokens")).Slots().SelectMany(slot => slot.Stored(FileFormat.AdapterHub)), stored => stored.Key.Contains("units.1", StringComparison.Ordinal));
    }

    [Fact]
    public void Beside_bfloat16_it_computes_wider()
    {
        var wide = Run(Filled(new LoReFT(2, 2, 1, "embed_tokens")));
        _host.to(ScalarType.BFloat16);
        var adapter = Filled(new LoReFT(2, 2, 1, "embed_tokens"));
        Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
        var narrow = Run(adapter);
        Assert.Equal(ScalarType.BFloat16, narrow.dtype);
        TensorAssert.Close(wide, narrow, 2e-2);
        TensorAssert.Close(wide, Run((LayerHost.Adapter)adapter.to(ScalarType.BFloat16)), 5e-2);
    }

    [Fact]
    public void What_cannot_be_is_refused_with_the_path()
    {
        Assert.Equal("embed_tokens: rank is 7, expected 1 to the width of the states, 6.", Refused(new LoReFT(7, targets: "embed_tokens")));
        Assert.Equal("embed_tokens: 0 first and 0 last tokens change, expected at least one of either.", Refused(new DiReFT(1, 0, 0, "embed_tokens")));
        Assert.StartsWith("embed_tokens: the non-linearity is 'sine'", Refused(new NoReFT(targets: "embed_tokens") { NonLinearity = "sine" }), StringComparison.Ordinal);
        var adapter = _host.Create(new NoReFT(targets: "embed_tokens"));
        var narrow = new ForwardOptions { Inputs = new Dictionary<InputRole, Tensor> { [InputRole.AttentionMask] = ones(3, 4) } };
        Assert.StartsWith("embed_tokens: the attention mask is [3, 4], expected [3, 5]", Assert.Throws<AdapterException>(() => _host.forward(adapter, narrow, _ids)).Message, StringComparison.Ordinal);

        string Refused(ReFT values) => Assert.Throws<AdapterException>(() => _host.Create(values)).Message;
    }

    private static Tensor Changed(ReFT form, LayerHost.Adapter adapter, Tensor h, int end)
    {
        var stored = adapter.Slots().SelectMany(s => s.Stored(FileFormat.HuggingFace).Concat(s.Derived(FileFormat.HuggingFace)))
            .Where(s => s.Key.Contains($".units.{end}.", StringComparison.Ordinal)).ToDictionary(s => s.Key[(s.Key.IndexOf(".units.", StringComparison.Ordinal) + 9)..], s => s.Value);
        var r = stored["projection.weight"];
        var source = stored["learned_source.weight"].matmul(h) + stored["learned_source.bias"];
        var active = form.NonLinearity switch { "gelu" => gelu(source), "tanh" => source.tanh(), _ => source };
        return h + r.t().matmul(form is DiReFT ? active : active - r.matmul(h));
    }

    private static List<Tensor> Directions(LayerHost.Adapter adapter) => adapter.Slots().SelectMany(s => s.Derived(FileFormat.HuggingFace)).Select(s => s.Value).ToList();

    private LayerHost.Adapter Filled(ReFT form)
    {
        var adapter = _host.Create(form);
        Fill.Normal(adapter, 2);
        adapter.eval();
        return adapter;
    }

    private Tensor Run(LayerHost.Adapter adapter) => _host.forward(adapter, Options(), _ids);

    private ForwardOptions Options() => new() { Inputs = new Dictionary<InputRole, Tensor> { [InputRole.AttentionMask] = _mask } };
}
