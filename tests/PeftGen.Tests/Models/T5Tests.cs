using PeftGen.Checkpoints;
using PeftGen.Generation;
using PeftGen.Models;
using PeftGen.Tests.Checkpoints;
using TorchSharp;
using Xunit;
using static TorchSharp.torch;

namespace PeftGen.Tests.Models;

public sealed class T5Tests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();
    private readonly IDisposable _noGrad = no_grad();
    private readonly T5ForConditionalGeneration _model = T5ForConditionalGeneration.FromPretrained(TestData.Path("hosts", "t5"));

    public void Dispose()
    {
        _noGrad.Dispose();
        _scope.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_head_in_the_folder_is_tied_only_where_it_is_the_embedding(bool own)
    {
        using var saved = new TempFolder();
        File.Copy(TestData.Path("hosts", "t5", "config.json"), saved["config.json"]);
        using (var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "t5")))
        {
            var head = own ? torch.randn(folder.Read("shared.weight").shape) : folder.Read("shared.weight");
            SafetensorsWriter.Write(saved["model.safetensors"], [.. folder.Names.Where(name => name != "lm_head.weight").Select(name => (name, folder.Read(name))), ("lm_head.weight", head)]);
        }

        using var model = T5ForConditionalGeneration.FromPretrained(saved.Path);
        var state = model.state_dict();
        Assert.Equal(!own, state["lm_head.weight"].allclose(state["shared.weight"], 0, 0));
        using var written = HuggingFaceFolder.Open(saved.Path);
        TensorAssert.Same(written.Read("lm_head.weight"), state["lm_head.weight"]);
    }

    [Fact]
    public void Logits_are_the_reference_ones()
    {
        using var expected = SafetensorsFile.Open(TestData.Path("cases", "lora", "t5-q-v-wo", "expected.safetensors"));
        var decoded = _model.ShiftedRight(expected.Read("input.labels"));
        var logits = _model.forward(expected.Read("input.input_ids"), decoded, expected.Read("input.attention_mask"));
        TensorAssert.Close(expected.Read("base_logits"), logits, 1e-5, "base_logits");
    }

    [Fact]
    public void Names_are_those_of_the_file()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "t5"));
        Assert.Equal(folder.Names.Append("lm_head.weight").Distinct().Order(), _model.state_dict().Keys.Order());
    }

    [Fact]
    public void Decoding_with_a_cache_gives_what_one_forward_gives()
    {
        var (ids, decoded) = (randint(3, 97, [2, 9]), randint(3, 97, [2, 40]));
        using var cache = new T5Cache();
        var encoded = _model.encode(ids);
        var parts = new List<Tensor>();
        foreach (var (start, count) in new[] { (0, 5), (5, 1), (6, 1), (7, 33) })
            parts.Add(_model.forward(ids, decoded.narrow(1, start, count), null, encoded, cache));
        TensorAssert.Close(_model.forward(ids, decoded), cat(parts, 1), 1e-5);
    }

    [Fact]
    public void Generation_goes_on_from_an_input_that_is_read_once()
    {
        var ids = randint(3, 97, [2, 9]);
        var start = full([2, 1], 0, ScalarType.Int64);
        using var cache = new T5Cache();
        var encoded = _model.encode(ids);
        var cached = TextGeneration.Generate((next, _) => _model.forward(ids, next, null, encoded, cache), start, null, new() { MaxNewTokens = 8 });
        var whole = TextGeneration.Generate((all, _) => _model.forward(ids, all), start, null, new() { MaxNewTokens = 8, FeedsAllTokens = true });
        Assert.Equal(whole, cached);
    }

    [Theory]
    [InlineData(0, 3)]
    [InlineData(3, 0)]
    public void Padding_of_the_input_changes_nothing(int left, int right)
    {
        var (ids, decoded) = (randint(3, 97, [1, 6]), randint(3, 97, [1, 4]));
        Tensor[] Padded(Tensor real, long fill) => [full([1, left], fill, ScalarType.Int64), real, full([1, right], fill, ScalarType.Int64)];
        var logits = _model.forward(cat(Padded(ids, 0), 1), decoded, cat(Padded(ones_like(ids), 0), 1));
        TensorAssert.Close(_model.forward(ids, decoded), logits, 1e-5);
    }

    [Fact]
    public void The_decoder_is_fed_the_labels_behind_its_start_token()
    {
        var labels = tensor(new long[,] { { 5, 6, -100 }, { 7, -100, -100 } });
        Assert.Equal([0, 5, 6, 0, 7, 0], _model.ShiftedRight(labels).data<long>().ToArray());
    }

    [Theory]
    [InlineData(false, false, true)]
    [InlineData(false, true, false)]
    [InlineData(true, false, false)]
    public void Networks_with_and_without_a_gate_and_both_kinds_of_head_run(bool gated, bool gelu, bool tied)
    {
        var config = _model.Config with { IsGated = gated, IsGelu = gelu, TieWordEmbeddings = tied, ScaleDecoderOutputs = tied };
        using var model = new T5ForConditionalGeneration(config);
        model.eval();
        var names = model.named_parameters().Select(p => p.name).ToList();
        Assert.Equal(gated, names.Contains("encoder.block.0.layer.1.DenseReluDense.wi_0.weight"));
        Assert.Equal(!gated, names.Contains("encoder.block.0.layer.1.DenseReluDense.wi.weight"));
        var (ids, decoded) = (randint(3, 97, [1, 6]), randint(3, 97, [1, 4]));
        Assert.True(model.forward(ids, decoded).isfinite().all().item<bool>());
    }

    [Fact]
    public void A_scaled_output_is_divided_by_the_root_of_the_width()
    {
        var scaled = new T5ForConditionalGeneration(_model.Config with { ScaleDecoderOutputs = true });
        scaled.load_state_dict(_model.state_dict());
        scaled.eval();
        var (ids, decoded) = (randint(3, 97, [1, 6]), randint(3, 97, [1, 4]));
        TensorAssert.Close(_model.forward(ids, decoded) / Math.Sqrt(32), scaled.forward(ids, decoded), 1e-5);
    }

    [Fact]
    public void A_forward_leaves_no_tensor_but_its_result()
    {
        var (ids, decoded) = (randint(3, 97, [1, 6]), randint(3, 97, [1, 4]));
        _model.forward(ids, decoded);
        using var scope = NewDisposeScope();
        _model.forward(ids, decoded);
        Assert.Equal(1, scope.DisposablesCount);
    }
}
