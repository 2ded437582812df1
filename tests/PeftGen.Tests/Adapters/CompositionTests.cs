using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Adapters;

/// <summary>Stacks and mixed rows, on every kind of site.</summary>
public sealed class CompositionTests
{
    private const double Tolerance = 1e-5;
    private readonly TinyModel _model = new();

    [Fact]
    public void A_stack_adds_what_its_parts_add()
    {
        using var x = Input(2);
        // Sites of the last layer only: there the sum can be computed outside.
        var a = _model.CreateAdapter(1, new Delta("out", scale: 0.5));
        var b = _model.CreateAdapter(2, new Delta("out", scale: 2));
        var both = Stack.Of(a, b);
        using var baseline = _model.forward(x);
        using var withA = _model.forward(a, x);
        using var withB = _model.forward(b, x);
        using var withBoth = _model.forward(both, x);
        using var sum = withA + withB - baseline;
        TensorAssert.Close(sum, withBoth, Tolerance);
        Assert.True((withBoth - withA).abs().max().item<float>() > 0.1, "b adds nothing");
    }

    [Fact]
    public void A_stack_of_groups_keeps_every_slot()
    {
        using var x = Input(2);
        var a = _model.CreateAdapter(1, new Delta("up,dense"), new Delta("up,query", scale: 0.3));
        var b = _model.CreateAdapter(2, new Delta("up,down"), new Delta("up"));
        var all = new[] { new Delta("up,dense"), new Delta("up,query", scale: 0.3), new Delta("up,down"), new Delta("up") };
        var one = _model.CreateAdapter(3, all);
        // The same four slots per layer, in the order in which they act, with the parts' values.
        var values = a.Slots().Concat(b.Slots()).Cast<DeltaSlot>().ToLookup(slot => (slot.Path, slot.Scale));
        var taken = new Dictionary<(string, double), int>();
        using (no_grad())
            foreach (var slot in one.Slots().Cast<DeltaSlot>())
            {
                var key = (slot.Path, slot.Scale);
                var index = taken.GetValueOrDefault(key);
                slot.get_parameter("delta")!.copy_(values[key].ElementAt(index).get_parameter("delta")!);
                taken[key] = index + 1;
            }

        using var expected = _model.forward(one, x);
        using var found = _model.forward(Stack.Of(a, b), x);
        TensorAssert.Close(expected, found, Tolerance);
        using var nested = _model.forward(Stack.Of(Stack.Of(a), Stack.Of(b)), x);
        TensorAssert.Same(found, nested);
    }

    [Fact]
    public void Merging_a_stack_is_running_it()
    {
        using var x = Input(2);
        var a = _model.CreateAdapter(1, new Delta("up,out"));
        var b = _model.CreateAdapter(2, new Delta("up,dense"));
        var both = Stack.Of(a, b);
        using var baseline = _model.forward(x);
        using var expected = _model.forward(both, x);
        _model.Merge(both);
        using var merged = _model.forward(x);
        TensorAssert.Close(expected, merged, Tolerance);
        Assert.Throws<AdapterException>(() => _model.forward(a, x));
        _model.Unmerge(both);
        using var restored = _model.forward(x);
        TensorAssert.Same(baseline, restored);
    }

    [Fact]
    public void Adapters_of_two_groups_stack_as_the_class_s_own_type()
    {
        using var x = Input(2);
        var a = _model.CreateAdapter(1, new Delta("out"));
        var b = _model.CreateOtherAdapter(2, new Delta("dense"));
        var both = Stack.Of<TinyModel.Adapter>(a, b);
        Assert.Equal(typeof(TinyModel.Adapter), both.GetType());
        Assert.Equal(2, both.parameters().Count());
        using var withBoth = _model.forward(both, x);
        using var withA = _model.forward(a, x);
        Assert.True((withBoth - withA).abs().max().item<float>() > 0.1, "b adds nothing");
        Assert.Contains("Adapter>", Assert.Throws<AdapterException>(() => Stack.Of<AdapterNode>(a, b)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_cannot_stack_says_where_and_what_to_do()
    {
        foreach (var (method, path) in new (AdaptAttribute, string)[] { (new Shift("blocks.0"), "blocks.0:"), (new Own("blocks.0.scale"), "blocks.0.scale:") })
        {
            var a = _model.CreateAdapter(1, method);
            var b = _model.CreateAdapter(2, method);
            var message = Assert.Throws<AdapterException>(() => Stack.Of(a, b)).Message;
            Assert.StartsWith(path, message, StringComparison.Ordinal);
            Assert.Contains("same site", message, StringComparison.Ordinal);
            using var x = Input(2);
            using var single = _model.forward(Stack.Of(a, _model.CreateAdapter(3, new Delta("up"))), x);
        }

        var once = _model.CreateAdapter(1, new Delta("up"));
        Assert.Contains("twice", Assert.Throws<AdapterException>(() => Stack.Of(once, once)).Message, StringComparison.Ordinal);
        Assert.Throws<AdapterException>(() => Stack.Of<TinyModel.TinyAdapter>());
    }

    public static TheoryData<string> MixedSites => ["layers", "residual", "residual with norm slots", "prefix", "all"];

    [Theory]
    [MemberData(nameof(MixedSites))]
    public void Each_row_of_a_mix_is_what_its_adapter_gives_alone(string sites)
    {
        AdaptAttribute[] First() => sites switch
        {
            "layers" => [new Delta("up,out")],
            "residual" => [new Shift("blocks.0")],
            "residual with norm slots" => [new Shift("blocks.0"), new NormScale("blocks.0.norm")],
            "prefix" => [new Prefix(2, "blocks.0,blocks.1")],
            _ => [new Delta("up,query"), new Shift("blocks.1"), new Prefix(3, "blocks.0,blocks.1")],
        };
        AdaptAttribute[] Second() => sites switch
        {
            "layers" => [new Delta("up,dense"), new Delta("up", scale: 0.1)],
            "residual" => [new Shift("blocks.0,blocks.1")],
            "residual with norm slots" => [new NormScale("blocks.0.norm,blocks.1.norm")],
            "prefix" => [new Prefix(4, "blocks.0,blocks.1")],
            _ => [new Prefix(1, "blocks.0"), new Delta("down,dense")],
        };
        var a = _model.CreateAdapter(1, First());
        var b = _model.CreateAdapter(2, Second());
        TinyModel.TinyAdapter?[] entries = [b, null, a, b, null, a];
        var mix = Rows.Of(entries);
        using var x = Input(entries.Length);
        using var mixed = _model.forward(mix, x);
        for (var row = 0; row < entries.Length; row++)
        {
            using var own = x[TensorIndex.Slice(row, row + 1)];
            using var expected = entries[row] is { } adapter ? _model.forward(adapter, own) : _model.forward(own);
            TensorAssert.Close(expected, mixed[TensorIndex.Slice(row, row + 1)], Tolerance, $"row {row}");
        }
    }

    [Fact]
    public void A_mix_trains_each_adapter_on_its_own_rows()
    {
        var a = _model.CreateAdapter(1, new Delta("up"));
        var b = _model.CreateAdapter(2, new Delta("up"));
        using var x = Input(3);
        using (var loss = _model.forward(Rows.Of(a, null, b), x).pow(2).sum())
            loss.backward();
        var mixed = Gradients(a).Concat(Gradients(b)).ToList();
        a.zero_grad();
        b.zero_grad();
        using (var loss = _model.forward(a, x[TensorIndex.Slice(0, 1)]).pow(2).sum())
            loss.backward();
        using (var loss = _model.forward(b, x[TensorIndex.Slice(2, 3)]).pow(2).sum())
            loss.backward();
        foreach (var (expected, found) in Gradients(a).Concat(Gradients(b)).Zip(mixed))
            TensorAssert.Close(expected, found, 1e-4);
    }

    [Fact]
    public void Inputs_and_records_of_a_mix_are_those_of_the_rows()
    {
        var a = _model.CreateAdapter(1, new Prefix(2, "blocks.0"));
        var b = _model.CreateAdapter(2, new Prefix(3, "blocks.0"));
        using var x = Input(3);
        var records = new Dictionary<string, Tensor>();
        using var _ = _model.forward(Rows.Of(b, a, b), new ForwardOptions { Records = records }, x);
        Assert.Equal(["blocks.0.length[0,2]", "blocks.0.length[1]"], records.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(3, records["blocks.0.length[0,2]"].item<long>());
    }

    [Fact]
    public void A_mix_refuses_other_batches_merging_and_saving()
    {
        var a = _model.CreateAdapter(1, new Delta("up"));
        var mix = Rows.Of(a, null);
        using var x = Input(3);
        var message = Assert.Throws<AdapterException>(() => _model.forward(mix, x)).Message;
        Assert.StartsWith("blocks.0.up: Rows.Of was given 2 entries", message, StringComparison.Ordinal);
        Assert.Throws<AdapterException>(() => _model.Merge(mix));
        Assert.Throws<AdapterException>(() => mix.Save(Path.Combine(Path.GetTempPath(), "never-written")));
        Assert.Throws<AdapterException>(() => Rows.Of<TinyModel.TinyAdapter>(null, null));
        var own = _model.CreateAdapter(1, new Own("blocks.0.scale"));
        Assert.StartsWith("blocks.0.scale:", Assert.Throws<AdapterException>(() => Rows.Of(own, a)).Message, StringComparison.Ordinal);
        using var two = Input(2);
        using var expected = _model.forward(own, two);
        using var found = _model.forward(Rows.Of(own, own), two);
        TensorAssert.Same(expected, found);
    }

    [Fact]
    public void Disposing_a_composition_leaves_its_parts_alone_but_moving_it_moves_them()
    {
        using var x = Input(2);
        var a = _model.CreateAdapter(1, new Delta("up,dense"), new Prefix(2, "blocks.0"));
        var b = _model.CreateAdapter(2, new Delta("up"), new Shift("blocks.1"));
        using var before = _model.forward(a, x);
        var parameters = a.parameters().Concat(b.parameters()).Count();
        foreach (var composition in new TinyModel.Adapter[] { Stack.Of(a, b), Rows.Of(a, b), Stack.Of(Rows.Of(a, null), b) })
        {
            Assert.Equal(parameters, composition.parameters().Count());
            composition.eval();
            Assert.All(a.Slots(), slot => Assert.False(slot.training));
            composition.train();
            Assert.All(a.Slots(), slot => Assert.True(slot.training));
            composition.to(ScalarType.Float64);
            Assert.All(b.parameters(), p => Assert.Equal(ScalarType.Float64, p.dtype));
            composition.to(ScalarType.Float32);
            composition.Dispose();
            Assert.Equal(parameters, a.parameters().Concat(b.parameters()).Count(p => !p.IsInvalid));
            using var after = _model.forward(a, x);
            TensorAssert.Same(before, after);
        }
    }

    private static List<Tensor> Gradients(AdapterNode adapter) => adapter.parameters().Select(p => p.grad!.clone()).ToList();

    private static Tensor Input(long rows)
    {
        using var generator = new Generator(99);
        return randn([rows, 4, TinyModel.Dim], generator: generator);
    }
}
