using PeftGen.Checkpoints;
using PeftGen.Generation;
using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Methods at attention in a compiled decoder: caches, rows, files, and what they are made of.</summary>
public sealed class AttentionMethodTests : IDisposable
{
    private const double Tolerance = 1e-5;
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly PrefixModel _model = new();
    private readonly Tensor _ids = tensor(new long[,] { { 4, 8, 2, 7, 11 }, { 1, 4, 4, 3, 9 } });
    private readonly Tensor _mask = tensor(new long[,] { { 1, 1, 1, 0, 0 }, { 1, 1, 1, 1, 1 } });

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Cached_steps_give_what_the_whole_text_gives()
    {
        foreach (var adapter in (PrefixModel.Adapter[])
            [Filled(_model.CreateAdapter()), Filled(_model.CreateAdapter(new PrefixTuning(2, positions: PrefixPositions.Kept))), Filled(_model.CreatePromptedAdapter())])
        {
            using var quiet = no_grad();
            var whole = _model.forward(adapter, _ids);
            using var cache = new PrefixCache();
            var first = _model.forward(adapter, _ids.narrow(1, 0, 3), null, cache);
            var steps = Enumerable.Range(3, 2).Select(i => _model.forward(adapter, _ids.narrow(1, i, 1), null, cache)).ToList();
            TensorAssert.Close(whole, cat([first, .. steps], 1), Tolerance);
            Assert.True((whole - _model.forward(_ids)).abs().max().item<float>() > 1e-2, "the adapter changes nothing");
        }
    }

    [Fact]
    public void Text_is_generated_with_a_prefix_as_without_a_cache()
    {
        var adapter = Filled(_model.CreateAdapter());
        using var cache = new PrefixCache();
        var cached = TextGeneration.Generate((ids, mask) => _model.forward(adapter, ids, mask, cache), _ids, null, new() { MaxNewTokens = 6 });
        var all = _ids;
        var plain = TextGeneration.Generate((ids, mask) =>
        {
            // The first call has the text, each later one the tokens that were chosen.
            all = (ids.shape[1] > 1 ? ids.clone() : cat([all, ids], 1)).DetachFromDisposeScope();
            return _model.forward(adapter, all);
        }, _ids, null, new() { MaxNewTokens = 6 });
        Assert.Equal(plain, cached);
    }

    [Fact]
    public void A_gate_sees_the_tokens_of_its_own_call()
    {
        using var quiet = no_grad();
        var adapter = Filled(_model.CreateGatedAdapter(new PrefixTuning(3) { Gated = true }));
        var ids = _ids.narrow(0, 0, 1);
        using var cache = new PrefixCache();
        var (whole, first, step) = (new Dictionary<string, Tensor>(), new Dictionary<string, Tensor>(), new Dictionary<string, Tensor>());
        var all = _model.forward(adapter, new ForwardOptions { Records = whole }, ids);
        var begun = _model.forward(adapter, new ForwardOptions { Records = first }, ids.narrow(1, 0, 4), null, cache);
        var next = _model.forward(adapter, new ForwardOptions { Records = step }, ids.narrow(1, 4, 1), null, cache);
        // The first block's gate, by its formula: the text stands behind the three vectors.
        const string Gate = "layers.0.self_attn:self_prefix";
        var x = _model.get_parameter("embed_tokens.weight")![ids[0]] + _model.get_parameter("positions.weight")!.narrow(0, 3, 5);
        var (w, b) = (Part("gate.weight"), Part("gate.bias"));
        var open = nn.functional.linear(x, w, b).sigmoid().squeeze(1);
        TensorAssert.Close(open.mean().view(1), whole[Gate], Tolerance);
        TensorAssert.Close(open.narrow(0, 0, 4).mean().view(1), first[Gate], Tolerance);
        TensorAssert.Close(open.narrow(0, 4, 1), step[Gate], Tolerance);
        // So the first call is as without a cache, and the next token is not.
        TensorAssert.Close(_model.forward(adapter, ids.narrow(1, 0, 4)), begun, Tolerance);
        Assert.True((all.narrow(1, 4, 1) - next).abs().max().item<float>() > 1e-3, "the step's gate saw the tokens before");

        Tensor Part(string name) => adapter.named_parameters().Single(p => p.name.StartsWith("layers.0", StringComparison.Ordinal) && p.name.EndsWith(name, StringComparison.Ordinal)).parameter;
    }

    [Fact]
    public void Cached_rows_of_a_mix_go_on_as_their_adapters_do_alone()
    {
        using var quiet = no_grad();
        var (prefix, states) = (Filled(_model.CreateAdapter(new PrefixTuning(2))), Filled(_model.CreateStatesAdapter()));
        var both = Stack.Of<PrefixModel.Adapter>(Filled(_model.CreateStatesAdapter(new NoReFT(1, 1, 2)), 5), Filled(_model.CreateAdapter(new PrefixTuning(4)), 6));
        PrefixModel.Adapter?[] entries = [states, null, both, prefix, states];
        foreach (var adapter in entries.OfType<PrefixModel.Adapter>())
            adapter.eval();
        var ids = cat([_ids, _ids.flip(1), _ids.narrow(0, 0, 1).roll(1, 1)], 0);
        var mixed = Cached(Rows.Of(entries), ids);
        for (var row = 0; row < entries.Length; row++)
            TensorAssert.Close(Cached(entries[row], ids.narrow(0, row, 1)), mixed.narrow(0, row, 1), Tolerance, $"row {row}");

        Tensor Cached(PrefixModel.Adapter? adapter, Tensor tokens)
        {
            using var cache = new PrefixCache();
            return cat(new[] { (0, 3), (3, 1), (4, 1) }.Select(part => Run(adapter, tokens.narrow(1, part.Item1, part.Item2), cache)).ToList(), 1);
        }

        Tensor Run(PrefixModel.Adapter? adapter, Tensor tokens, PrefixCache cache) => adapter is null ? _model.forward(tokens, null, cache) : _model.forward(adapter, tokens, null, cache);
    }

    [Fact]
    public void Each_row_has_the_prefix_of_its_adapter()
    {
        var (a, b) = (Filled(_model.CreateAdapter(new PrefixTuning(2))), Filled(_model.CreateAdapter(new PrefixTuning(4)), 5));
        using var quiet = no_grad();
        var mixed = _model.forward(Rows.Of(a, b), _ids, _mask);
        TensorAssert.Close(cat([_model.forward(a, _ids.narrow(0, 0, 1), _mask.narrow(0, 0, 1)), _model.forward(b, _ids.narrow(0, 1, 1), _mask.narrow(0, 1, 1))]), mixed, Tolerance);
        var withBase = _model.forward(Rows.Of<PrefixModel.Adapter>(null, b), _ids, _mask);
        TensorAssert.Close(cat([_model.forward(_ids.narrow(0, 0, 1), _mask.narrow(0, 0, 1)), _model.forward(b, _ids.narrow(0, 1, 1), _mask.narrow(0, 1, 1))]), withBase, Tolerance);
    }

    [Fact]
    public void A_prefix_moves_the_text_unless_it_is_to_keep_its_place()
    {
        var shifted = Filled(_model.CreateAdapter(new PrefixTuning(2)));
        var kept = Filled(_model.CreateAdapter(new PrefixTuning(2, positions: PrefixPositions.Kept)));
        TensorAssert.Same(_model.forward(kept, _ids), _model.forward(Filled(_model.CreateAdapter(new PrefixTuning(2, positions: PrefixPositions.Unmoved))), _ids));
        Assert.True((_model.forward(shifted, _ids) - _model.forward(kept, _ids)).abs().max().item<float>() > 1e-3, "positions are not moved");
        // Two rows further on in the table of positions, the text stands where the shifted one does.
        var table = _model.get_parameter("positions.weight");
        using (no_grad())
        {
            var expected = _model.forward(shifted, _ids);
            table!.copy_(table.roll(-2, 0));
            TensorAssert.Close(expected, _model.forward(kept, _ids), Tolerance);
        }
    }

    [Fact]
    public void HF_PEFT_gets_the_prefix_alone_and_training_keeps_the_network()
    {
        using var folder = new TempFolder();
        var adapter = Filled(_model.CreateAdapter(new PrefixTuning(3) { Projection = 4, TaskType = "CAUSAL_LM" }));
        var expected = _model.forward(adapter, _ids);
        adapter.Save(folder.Path);
        var config = System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(folder.Path, "adapter_config.json")))!;
        Assert.Equal(("PREFIX_TUNING", true, 4, 2, 6, 2), ((string?)config["peft_type"], (bool)config["prefix_projection"]!, (int)config["encoder_hidden_size"]!, (int)config["num_layers"]!, (int)config["token_dim"]!, (int)config["num_attention_heads"]!));
        using (var file = SafetensorsFile.Open(System.IO.Path.Combine(folder.Path, "adapter_model.safetensors")))
            Assert.Equal(["prompt_embeddings"], file.Names);
        var loaded = _model.LoadAdapter(folder.Path);
        TensorAssert.Close(expected, _model.forward(loaded, _ids), Tolerance);
        Assert.Single(loaded.parameters());

        var state = adapter.TrainingState();
        Assert.Equal(5, state.Keys.Count(key => key.Contains("encoder", StringComparison.Ordinal)));
        var other = _model.CreateAdapter(new PrefixTuning(3) { Projection = 4 });
        other.LoadTrainingState(state);
        TensorAssert.Close(expected, _model.forward(other, _ids), 0);
        TensorAssert.Close(expected, _model.forward(other.Eject(), _ids), 0);
        Assert.Single(other.parameters());
    }

    [Fact]
    public void A_new_prompt_at_attention_changes_nothing_where_the_projection_has_no_bias()
    {
        var adapter = _model.CreatePromptedAdapter();
        TensorAssert.Close(_model.forward(_ids), _model.forward(adapter, _ids), 0);
        Assert.Equal(PrefixModel.Blocks * ((3 * PrefixModel.Width) + 1), adapter.parameters().Sum(p => p.numel()));
        var upper = _model.CreatePromptedAdapter(new AdaptionPrompt(3, layers: 1));
        Assert.Equal((3 * PrefixModel.Width) + 1, upper.parameters().Sum(p => p.numel()));
        Assert.All(upper.Slots().SelectMany(slot => slot.Stored(FileFormat.HuggingFace)), entry => Assert.StartsWith("base_model.model.layers.1.self_attn.adaption_", entry.Key, StringComparison.Ordinal));
        Assert.Contains("has 2 blocks, expected at least 3", Assert.Throws<AdapterException>(() => _model.CreatePromptedAdapter(new AdaptionPrompt(3, layers: 3))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Gradients_are_those_of_differences()
    {
        _model.to(ScalarType.Float64);
        foreach (var adapter in (PrefixModel.Adapter[])
            [_model.CreateAdapter(new PrefixTuning(2) { Projection = 3 }), _model.CreateGatedAdapter(), _model.CreatePromptedAdapter(), _model.CreatePartsAdapter()])
        {
            Filled(adapter);
            Gradients.Check(() => _model.forward(adapter, _ids, _mask), [.. adapter.named_parameters().Select(p => (p.name, (Tensor)p.parameter)).DistinctBy(p => p.Item2.Handle)]);
        }
    }

    [Fact]
    public void UniPELT_is_a_gated_prefix_adapter_and_LoRA()
    {
        var adapter = Filled(_model.CreateGatedPartsAdapter());
        var apart = _model.CreateApartAdapter();
        apart.LoadTrainingState(adapter.TrainingState());
        var records = new Dictionary<string, Tensor>();
        TensorAssert.Close(_model.forward(apart, _ids, _mask), _model.forward(adapter, new ForwardOptions { Records = records }, _ids, _mask), 0);
        var gates = GateRecords.ByLayer(records);
        Assert.Equal(["0.output_adapter", "0.self_prefix", "0.selfattn_lora", "1.output_adapter", "1.self_prefix", "1.selfattn_lora"], gates.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([2L, 2], gates["1.selfattn_lora"].shape);
        Assert.Equal(["PrefixTuning", "Bottleneck", "LoRA"], new UniPELT().Parts.Select(part => part.GetType().Name));
        Assert.Equal(["Bottleneck"], new UniPELT(loraTargets: null, prefixTargets: null).Parts.Select(part => part.GetType().Name));
        Assert.Equal(["PrefixTuning", "ParallelAdapter"], new MAM().Parts.Select(part => part.GetType().Name));
    }

    [Fact]
    public void Gates_look_at_real_tokens_unless_all_are_asked_for()
    {
        var masked = Filled(_model.CreateGatedPartsAdapter());
        var all = Filled(_model.CreateGatedPartsAdapter(new UniPELT(2, 2, 2) { Projection = 3, Pooling = GatePooling.All }));
        var (ids, mask) = (_ids.narrow(0, 0, 1), _mask.narrow(0, 0, 1));
        var (less, lessMask) = (ids.narrow(1, 0, 3), mask.narrow(1, 0, 3));
        TensorAssert.Close(_model.forward(masked, less, lessMask), _model.forward(masked, ids, mask).narrow(1, 0, 3), Tolerance);
        Assert.True((_model.forward(all, less, lessMask) - _model.forward(all, ids, mask).narrow(1, 0, 3)).abs().max().item<float>() > 1e-4, "padding changes nothing");
    }

    [Fact]
    public void Combined_methods_come_back_from_their_files()
    {
        using var folder = new TempFolder();
        var adapter = Filled(_model.CreateGatedPartsAdapter());
        var expected = _model.forward(adapter, _ids, _mask);
        adapter.Save(folder.Path);
        TensorAssert.Close(expected, _model.forward(_model.LoadGatedPartsAdapter(folder.Path), _ids, _mask), 0);
        var mam = Filled(_model.CreatePartsAdapter());
        using var other = new TempFolder();
        mam.Save(other.Path);
        TensorAssert.Close(_model.forward(mam, _ids), _model.forward(_model.LoadPartsAdapter(other.Path), _ids), 0);
        Assert.Contains("names none of its parts", Assert.Throws<AdapterException>(() => new UniPELT(loraTargets: null, prefixTargets: null, adapterTargets: null).Claims).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_base_of_bfloat16_has_prefixes_of_float32()
    {
        _model.to(ScalarType.BFloat16);
        foreach (var adapter in (PrefixModel.Adapter[])[_model.CreateAdapter(new PrefixTuning(2) { Projection = 3 }), _model.CreateGatedAdapter(), _model.CreatePromptedAdapter()])
        {
            Filled(adapter);
            Assert.All(adapter.parameters(), p => Assert.Equal(ScalarType.Float32, p.dtype));
            var logits = _model.forward(adapter, _ids, _mask);
            Assert.Equal(ScalarType.BFloat16, logits.dtype);
            logits.sum().backward();
            Assert.All(adapter.parameters(), p => Assert.True(p.grad is not null));
        }
    }

    private static T Filled<T>(T adapter, ulong seed = 2) where T : AdapterNode
    {
        Fill.Normal(adapter, seed, 0.7);
        return adapter;
    }
}
