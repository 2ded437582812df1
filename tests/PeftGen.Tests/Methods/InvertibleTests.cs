using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>The coupling after the embeddings and its inverse before a head.</summary>
public sealed class InvertibleTests : IDisposable
{
    private const long Dim = 7;
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly LayerHost _host = Host();
    private readonly Tensor _ids = tensor(new long[,] { { 1, 2, 3, 4 }, { 5, 6, 7, 8 } });

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(1.0)]
    [InlineData(2.0)]
    public void The_inverse_undoes_the_change(double reduction)
    {
        var adapter = Filled(new Invertible(reduction, "embed_tokens", null) { NonLinearity = "swish" });
        var block = adapter.Slots().OfType<IInvertible>().Single();
        var x = Fill.Values(3, 2, 5, Dim);
        var y = block.forward(x);
        Assert.True((y - x).abs().max().item<float>() > 0.1, "it changes nothing");
        TensorAssert.Close(x, block.inverse(y), Tolerance);
    }

    [Fact]
    public void A_head_sees_what_the_embeddings_were_where_the_change_is_undone()
    {
        var (undone, left) = (Filled(new Invertible(2, "embed_tokens", "lm_head")), Filled(new Invertible(2, "embed_tokens", null)));
        TensorAssert.Close(_host.forward(_ids), _host.forward(undone, _ids), Tolerance);
        Assert.True((_host.forward(left, _ids) - _host.forward(_ids)).abs().max().item<float>() > 0.1);
    }

    [Fact]
    public void Heads_that_the_model_lacks_are_no_mistake()
    {
        var adapter = Filled(new Invertible(targets: "embed_tokens"));
        TensorAssert.Close(_host.forward(Filled(new Invertible(2, "embed_tokens", null)), _ids), _host.forward(adapter, _ids), Tolerance);
    }

    [Fact]
    public void Gradients_are_those_of_differences()
    {
        var host = Host();
        host.to(ScalarType.Float64);
        // Without an inverse, which would undo all that is learned.
        var adapter = host.Create(new Invertible(2, "embed_tokens", null) { NonLinearity = "gelu" });
        Fill.Normal(adapter, 2);
        Gradients.Check(() => host.forward(adapter, _ids), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter))]);
    }

    [Fact]
    public void A_new_one_is_nearly_the_base()
    {
        var adapter = _host.Create(new Invertible(2, "embed_tokens", null));
        TensorAssert.Close(_host.forward(_ids), _host.forward(adapter, _ids), 1e-2);
    }

    [Fact]
    public void A_file_gives_the_same_adapter()
    {
        var values = new Invertible(3, "embed_tokens", null) { NonLinearity = "gelu" };
        var adapter = Filled(values);
        using var folder = new TempFolder();
        adapter.Save(folder.Path);
        TensorAssert.Same(_host.forward(adapter, _ids), _host.forward(_host.Load(folder.Path, values), _ids));
    }

    [Fact]
    public void Beside_bfloat16_it_computes_wider()
    {
        var wide = _host.forward(Filled(new Invertible(2, "embed_tokens", null)), _ids);
        _host.to(ScalarType.BFloat16);
        var adapter = Filled(new Invertible(2, "embed_tokens", null));
        Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
        var narrow = _host.forward(adapter, _ids);
        Assert.Equal(ScalarType.BFloat16, narrow.dtype);
        TensorAssert.Close(wide, narrow, 3e-2);
    }

    [Fact]
    public void What_cannot_be_is_refused_with_the_path()
    {
        Assert.StartsWith("embed_tokens: reduction is 0.5, expected at least 1.", Refused(new Invertible(0.5, "embed_tokens", null)), StringComparison.Ordinal);
        Assert.StartsWith("lm_head: the states are 5 wide, and the embeddings 7.", Refused(new Invertible(2, "embed_tokens", "lm_head"), ("lm_head", nn.Linear(5, 9))), StringComparison.Ordinal);
        Assert.StartsWith("wte: the targets name embed_tokens, too", Refused(new Invertible(2, "embed_tokens,wte", null), ("wte", nn.Embedding(9, Dim))), StringComparison.Ordinal);

        static string Refused(Invertible values, params (string name, nn.Module<Tensor, Tensor> layer)[] more)
        {
            var host = new LayerHost([("embed_tokens", nn.Embedding(9, Dim)), .. more]);
            return Assert.Throws<AdapterException>(() => host.Create(values)).Message;
        }
    }

    private static LayerHost Host() => new(("embed_tokens", nn.Embedding(9, Dim)), ("lm_head", nn.Linear(Dim, 9)));

    private LayerHost.Adapter Filled(Invertible values)
    {
        var adapter = _host.Create(values);
        Fill.Normal(adapter, 2);
        return adapter;
    }
}
