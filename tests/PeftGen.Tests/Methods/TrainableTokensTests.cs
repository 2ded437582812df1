using PeftGen.Compiled;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Rows of an embedding that train.</summary>
public sealed class TrainableTokensTests : IDisposable
{
    private static readonly int[] Tokens = [7, 0, 4];
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Embedding _embedding = nn.Embedding(9, 5);
    private readonly LayerHost _host;
    private readonly Tensor _ids = tensor(new long[,] { { 4, 8, 0, 7 }, { 1, 4, 4, 3 } });

    public TrainableTokensTests() => _host = new LayerHost(("embed_tokens", _embedding));

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Rows_are_stored_in_the_tokens_order_and_start_at_the_bases()
    {
        var adapter = _host.Create(new TrainableTokens(Tokens));
        var (key, rows) = Assert.Single(adapter.Slots()).Stored(FileFormat.HuggingFace).Single();
        Assert.Equal("base_model.model.embed_tokens.trainable_tokens_delta", key);
        TensorAssert.Same(_embedding.weight![tensor(new long[] { 7, 0, 4 })], rows);
        TensorAssert.Same(_host.forward(_ids), _host.forward(adapter, _ids));
    }

    [Fact]
    public void Only_their_ids_are_replaced()
    {
        var adapter = Filled(out var rows);
        var expected = _host.forward(_ids).clone();
        foreach (var (i, j, row) in new[] { (0, 0, 2), (0, 2, 1), (0, 3, 0), (1, 1, 2), (1, 2, 2) })
            expected[i, j] = rows[row];
        TensorAssert.Same(expected, _host.forward(adapter, _ids));
        TensorAssert.Same(expected, _host.forward(adapter, _ids.to(ScalarType.Int32)));
    }

    [Fact]
    public void Gradients_reach_the_rows_that_were_looked_up()
    {
        var adapter = Filled(out var rows);
        _host.forward(adapter, _ids).sum().backward();
        TensorAssert.Same(tensor(new[] { 1f, 1f, 3f }), rows.grad!.select(1, 2));
        adapter.zero_grad();
        // No token among them: nothing is learned, nothing breaks.
        var others = tensor(new long[] { 1, 8 });
        var y = _host.forward(adapter, others);
        TensorAssert.Same(_host.forward(others), y);
    }

    [Fact]
    public void Merging_writes_those_rows_alone()
    {
        var adapter = Filled(out var rows);
        var (before, adapted) = (_embedding.weight!.clone(), _host.forward(adapter, _ids));
        _host.Merge(adapter);
        TensorAssert.Same(adapted, _host.forward(_ids));
        foreach (var i in (long[])[1, 2, 3, 5, 6, 8])
            TensorAssert.Same(before[i], _embedding.weight![i], $"row {i}");
        _host.Unmerge(adapter);
        TensorAssert.Same(before, _embedding.weight!);
    }

    [Fact]
    public void With_LoRA_the_key_names_the_token_adapter()
    {
        var host = new LayerHost(("embed_tokens", nn.Embedding(9, 5)), ("q_proj", nn.Linear(5, 4)));
        var adapter = host.Create(new LoRA(rank: 2, targets: "q_proj") { TrainableTokens = [2, 5] });
        Assert.Equal("base_model.model.embed_tokens.token_adapter.trainable_tokens_delta", adapter.Slots().First().Stored(FileFormat.HuggingFace).Single().Key);
    }

    [Fact]
    public void Rows_learn_in_fp32_beside_bf16()
    {
        _host.to(ScalarType.BFloat16);
        var adapter = Filled(out var rows);
        Assert.Equal(ScalarType.Float32, rows.dtype);
        var adapted = _host.forward(adapter, _ids);
        Assert.Equal(ScalarType.BFloat16, adapted.dtype);
        _host.Merge(adapter);
        TensorAssert.Same(adapted, _host.forward(_ids));
    }

    [Theory]
    [InlineData(9)]
    [InlineData(-1)]
    [InlineData(4)]
    public void Tokens_outside_the_vocabulary_or_twice_are_refused(int last)
    {
        var error = Assert.Throws<AdapterException>(() => _host.Create(new TrainableTokens([4, last])));
        Assert.Equal($"embed_tokens: the tokens are [4, {last}], expected different ids from 0 to 8.", error.Message);
    }

    [Fact]
    public void Tokens_train_in_an_embedding()
    {
        var host = new LayerHost(("embed_tokens", nn.Linear(4, 4)));
        Assert.StartsWith("embed_tokens: tokens train in an Embedding, and this is a Linear", Assert.Throws<AdapterException>(() => host.Create(new TrainableTokens([1], "embed_tokens"))).Message, StringComparison.Ordinal);
    }

    private LayerHost.Adapter Filled(out Parameter rows)
    {
        var adapter = _host.Create(new TrainableTokens(Tokens));
        Fill.Normal(adapter, 2);
        rows = adapter.parameters().Single();
        return adapter;
    }
}
