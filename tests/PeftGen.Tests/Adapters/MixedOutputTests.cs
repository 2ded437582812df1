using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Adapters;

/// <summary>Stacks and mixed rows of methods that act on outputs and at the model's door.</summary>
public sealed class MixedOutputTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly PromptModel _model = new();
    private readonly Tensor _ids = tensor(new long[,] { { 4, 8, 0, 7 }, { 1, 4, 4, 3 }, { 9, 2, 5, 6 }, { 3, 3, 10, 1 }, { 7, 0, 2, 2 }, { 8, 5, 1, 4 } });
    private readonly Tensor _mask = tensor(new long[,] { { 1, 1, 0, 0 }, { 1, 1, 1, 1 }, { 1, 1, 1, 0 }, { 1, 1, 1, 1 }, { 1, 0, 0, 0 }, { 1, 1, 1, 0 } });

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData("states")]
    [InlineData("coupled")]
    [InlineData("both")]
    public void Each_row_of_a_mix_is_what_its_adapter_gives_alone(string what)
    {
        var (a, b) = what switch
        {
            "states" => ((PromptModel.Adapter)States(1), States(2, new LoReFT(1, 1, 3, "embeddings"))),
            "coupled" => (Coupled(1), Coupled(2, new Invertible(1, "embeddings", null))),
            _ => ((PromptModel.Adapter)States(1), (PromptModel.Adapter)Coupled(2)),
        };
        var c = Stack.Of<PromptModel.Adapter>(Coupled(3), States(4));
        PromptModel.Adapter?[] entries = [a, null, c, b, a, null];
        var mixed = _model.forward(Rows.Of(entries), _ids, _mask);
        for (var row = 0; row < entries.Length; row++)
            TensorAssert.Close(Alone(entries[row], row), mixed.narrow(0, row, 1), Tolerance, $"row {row}");
        Assert.True((mixed - _model.forward(_ids, _mask)).narrow(0, 2, 3).abs().amax([1, 2]).min().item<float>() > 0.1, "an adapter changes nothing");
    }

    [Fact]
    public void A_mix_trains_each_adapter_on_its_own_rows()
    {
        PromptModel.Adapter?[] entries = [States(1), Coupled(2, new Invertible(2, "embeddings", null)), null, States(3), States(3), null];
        entries[4] = entries[3];
        var adapters = entries.OfType<PromptModel.Adapter>().Distinct().ToList();
        _model.forward(Rows.Of(entries), _ids, _mask).square().sum().backward();
        var mixed = adapters.SelectMany(adapter => adapter.parameters()).Select(p => p.grad!.clone()).ToList();
        adapters.ForEach(adapter => adapter.zero_grad());
        for (var row = 0; row < entries.Length; row++)
            if (entries[row] is not null)
                Alone(entries[row], row).square().sum().backward();
        foreach (var (expected, found) in adapters.SelectMany(adapter => adapter.named_parameters()).Zip(mixed))
            TensorAssert.Close(expected.parameter.grad!, found, 1e-4, expected.name);
    }

    [Fact]
    public void A_stack_changes_outputs_one_after_the_other_and_undoes_them_in_reverse()
    {
        var (a, b) = (Coupled(1), Coupled(2));
        var (f, g) = (a.Slots().OfType<IInvertible>().Single(), b.Slots().OfType<IInvertible>().Single());
        var x = Embedded(_ids);
        var expected = Head(f.inverse(g.inverse(PromptModel.Mix(g.forward(f.forward(x)), _mask))));
        TensorAssert.Close(expected, _model.forward(Stack.Of(a, b), _ids, _mask), Tolerance);

        var (first, second) = (States(3), States(4, new LoReFT(1, 1, 3, "embeddings")));
        using var context = new ForwardContext();
        context[InputRole.AttentionMask] = _mask;
        var changed = Output(second).forward(context, Output(first).forward(context, x));
        TensorAssert.Close(Head(PromptModel.Mix(changed, _mask)), _model.forward(Stack.Of(first, second), _ids, _mask), Tolerance);
        changed = Output(first).forward(context, f.forward(x));
        TensorAssert.Close(Head(f.inverse(PromptModel.Mix(changed, _mask))), _model.forward(Stack.Of<PromptModel.Adapter>(a, first), _ids, _mask), Tolerance);
    }

    [Fact]
    public void A_stack_of_mixes_is_a_mix_of_stacks()
    {
        var (a, b, c) = (States(1), Coupled(2), States(3));
        var (ids, mask) = (_ids.narrow(0, 0, 3), _mask.narrow(0, 0, 3));
        var stacked = Stack.Of<PromptModel.Adapter>(Rows.Of<PromptModel.Adapter>(a, b, null), c);
        var mixed = Rows.Of<PromptModel.Adapter>(Stack.Of(a, c), Stack.Of<PromptModel.Adapter>(b, c), c);
        TensorAssert.Close(_model.forward(mixed, ids, mask), _model.forward(stacked, ids, mask), Tolerance);
        Assert.Equal(3, stacked.Slots().Count(slot => slot is OutputSlot));
    }

    [Fact]
    public void Prompts_of_one_length_mix_where_no_input_has_to_change()
    {
        var (a, b) = (Late(1), Late(2, new EmbeddedPrompt(3) { AfterFirst = true }));
        var mixed = _model.forward(Rows.Of(b, a), _ids.narrow(0, 0, 2));
        TensorAssert.Close(cat([_model.forward(b, _ids.narrow(0, 0, 1)), _model.forward(a, _ids.narrow(0, 1, 1))]), mixed, Tolerance);
    }

    [Fact]
    public void Rows_that_cannot_be_one_batch_are_refused()
    {
        var (ids, mask) = (_ids.narrow(0, 0, 2), _mask.narrow(0, 0, 2));
        Refuses("change the model's inputs in different ways", Rows.Of(_model.CreateAdapter(new PromptTuning(3)), null), null);
        Refuses("change the model's inputs in different ways", Rows.Of(Late(1), Late(2)), mask);
        Refuses("embeddings: the adapters of these rows give [1, 7, 5] and [1, 6, 5]", Rows.Of(Late(1), Late(2, new EmbeddedPrompt(2))), null);
        Refuses("embeddings: the adapters of these rows give [1, 7, 5] and [1, 4, 5]", Rows.Of(Late(1), null), null);
        Refuses("the model's output: the adapters of these rows give [1, 4, 4] and [1, 7, 4]", Rows.Of(Late(1, new EmbeddedPrompt(3) { CutPrompt = true }), Late(2)), null);

        void Refuses(string why, PromptModel.Adapter rows, Tensor? seen) =>
            Assert.Contains(why, Assert.Throws<AdapterException>(() => _model.forward(rows, ids, seen)).Message, StringComparison.Ordinal);
    }

    private PromptModel.StatesAdapter States(ulong seed, LoReFT? values = null) => Filled(values is null ? _model.CreateStatesAdapter() : _model.CreateStatesAdapter(values), seed);

    private PromptModel.CoupledAdapter Coupled(ulong seed, Invertible? values = null) => Filled(values is null ? _model.CreateCoupledAdapter() : _model.CreateCoupledAdapter(values), seed);

    private PromptModel.LateAdapter Late(ulong seed, EmbeddedPrompt? values = null) => Filled(values is null ? _model.CreateLateAdapter() : _model.CreateLateAdapter(values), seed);

    private static T Filled<T>(T adapter, ulong seed) where T : AdapterNode
    {
        Fill.Normal(adapter, seed);
        adapter.eval();
        return adapter;
    }

    private Tensor Alone(PromptModel.Adapter? adapter, int row)
    {
        var (ids, mask) = (_ids.narrow(0, row, 1), _mask.narrow(0, row, 1));
        return adapter is null ? _model.forward(ids, mask) : _model.forward(adapter, ids, mask);
    }

    private static OutputSlot Output(AdapterNode adapter) => adapter.Slots().OfType<OutputSlot>().Single();

    private Tensor Embedded(Tensor ids) => _model.get_parameter("embeddings.word_embeddings.weight")![ids].tanh();

    private Tensor Head(Tensor x) => nn.functional.linear(x, _model.get_parameter("head.weight")!, _model.get_parameter("head.bias")!);
}
