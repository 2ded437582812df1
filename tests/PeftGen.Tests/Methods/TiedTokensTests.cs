using PeftGen.Checkpoints;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Trained rows of an embedding whose weight is a head's, too.</summary>
public sealed class TiedTokensTests : IDisposable
{
    private static readonly int[] Tokens = [7, 0, 4];
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly Embedding _embedding = nn.Embedding(9, 5);
    private readonly Linear _head = nn.Linear(5, 9);
    private readonly LayerHost _host;
    private readonly Tensor _ids = tensor(new long[,] { { 4, 8, 0, 7 }, { 1, 4, 4, 3 } });

    public TiedTokensTests()
    {
        _head.weight = (Parameter)_embedding.weight!;
        _host = new LayerHost(("embed_tokens", _embedding), ("lm_head", _head));
    }

    public void Dispose() => _scope.Dispose();

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    public void Both_use_the_rows(ScalarType dtype)
    {
        using var table = _embedding.weight!.to(dtype);
        _embedding.weight = new Parameter(table.clone(), false);
        _head.weight = (Parameter)_embedding.weight!;
        _head.bias = new Parameter(_head.bias!.to(dtype).clone(), false);
        var adapter = Filled(out var rows);
        Assert.Equal(ScalarType.Float32, rows.dtype);
        var changed = table.index_copy(0, tensor(new long[] { 7, 0, 4 }), rows.to(dtype));
        var expected = nn.functional.linear(changed[_ids], changed, _head.bias);
        TensorAssert.Close(expected, _host.forward(adapter, _ids), dtype == ScalarType.Float32 ? 1e-6 : 1e-2);
    }

    [Fact]
    public void One_parameter_learns_from_both()
    {
        var adapter = Filled(out var rows);
        Assert.Single(adapter.parameters());
        _host.forward(adapter, _ids).square().sum().backward();

        var free = rows.detach().clone().requires_grad_();
        var changed = _embedding.weight!.detach().index_copy(0, tensor(new long[] { 7, 0, 4 }), free);
        nn.functional.linear(changed[_ids], changed, _head.bias).square().sum().backward();
        TensorAssert.Close(free.grad!, rows.grad!, 1e-5);
    }

    [Fact]
    public void Files_have_them_twice_and_open_again()
    {
        using var folder = new TempFolder();
        var adapter = Filled(out _);
        adapter.Save(folder.Path);
        using (var file = PeftGen.Checkpoints.SafetensorsFile.Open(System.IO.Path.Combine(folder.Path, "adapter_model.safetensors")))
            Assert.Equal(["base_model.model.embed_tokens.trainable_tokens_delta", "base_model.model.lm_head.trainable_tokens_delta"], file.Names.Order());
        using var loaded = _host.Load(folder.Path, new TrainableTokens(Tokens));
        TensorAssert.Same(_host.forward(adapter, _ids), _host.forward(loaded, _ids));
    }

    [Fact]
    public void Merging_writes_them_once_for_both()
    {
        var adapter = Filled(out var rows);
        var (before, adapted) = (_embedding.weight!.clone(), _host.forward(adapter, _ids));
        _host.Merge(adapter);
        TensorAssert.Close(adapted, _host.forward(_ids), 1e-6);
        TensorAssert.Same(rows[1], _head.weight![0]);
        _host.Unmerge(adapter);
        TensorAssert.Same(before, _embedding.weight!);
        TensorAssert.Same(before, _head.weight!);
    }

    [Fact]
    public void LoRA_trains_them_along()
    {
        var adapter = _host.Create(new LoRA(rank: 2, targets: "embed_tokens") { TrainableTokens = Tokens });
        // HF PEFT writes them once there, for the embedding, and reads files that have them for the head, too.
        Assert.Equal(["base_model.model.embed_tokens.token_adapter.trainable_tokens_delta"], adapter.Slots().SelectMany(s => s.Stored(FileFormat.HuggingFace)).Select(s => s.Key).Where(key => key.Contains("token_adapter", StringComparison.Ordinal)));
        using var folder = new TempFolder();
        adapter.Save(folder.Path);
        var file = folder["adapter_model.safetensors"];
        using (var saved = SafetensorsFile.Open(file))
        {
            var tensors = saved.Names.Select(name => (name, saved.Read(name))).ToList();
            tensors.Add(("base_model.model.lm_head.token_adapter.trainable_tokens_delta", tensors.First(t => t.name.Contains("token_adapter", StringComparison.Ordinal)).Item2));
            SafetensorsWriter.Write(folder["both/adapter_model.safetensors"], tensors);
        }

        File.Copy(folder["adapter_config.json"], folder["both/adapter_config.json"]);
        using var both = _host.Load(folder["both"], new LoRA());
    }

    [Fact]
    public void A_head_with_a_weight_of_its_own_is_left_alone()
    {
        using var host = new LayerHost(("embed_tokens", nn.Embedding(9, 5)), ("lm_head", nn.Linear(5, 9)));
        using var adapter = host.Create(new TrainableTokens(Tokens));
        Assert.Single(adapter.Slots());
    }

    [Fact]
    public void What_would_keep_the_old_rows_is_refused()
    {
        var other = nn.Linear(5, 9);
        other.weight = (Parameter)_embedding.weight!;
        using var host = new LayerHost(("embed_tokens", _embedding), ("scores", other));
        var error = Assert.Throws<AdapterException>(() => host.Create(new TrainableTokens(Tokens)));
        Assert.StartsWith("embed_tokens: ", error.Message, StringComparison.Ordinal);
        Assert.Contains("scores", error.Message, StringComparison.Ordinal);
    }

    private LayerHost.Adapter Filled(out Parameter rows)
    {
        var adapter = _host.Create(new TrainableTokens(Tokens));
        Fill.Normal(adapter, 2);
        rows = adapter.parameters().Single();
        return adapter;
    }
}
