using PeftGen.Checkpoints;
using PeftGen.Models;
using PeftGen.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Models;

public sealed class GPT2Tests : IDisposable
{
    private readonly DisposeScope _scope = torch.NewDisposeScope();
    private readonly IDisposable _noGrad = torch.no_grad();
    private readonly GPT2LMHeadModel _model = GPT2LMHeadModel.FromPretrained(TestData.Path("hosts", "gpt2"));

    public void Dispose()
    {
        _noGrad.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Logits_are_the_reference_ones()
    {
        using var expected = SafetensorsFile.Open(TestData.Path("cases", "lora", "gpt2-conv1d", "expected.safetensors"));
        var logits = _model.forward(expected.Read("input.input_ids"), expected.Read("input.attention_mask"));
        TensorAssert.Close(expected.Read("base_logits"), logits, 1e-5, "base_logits");
    }

    [Fact]
    public void Files_as_published_open_too()
    {
        using var published = new TempFolder();
        File.Copy(TestData.Path("hosts", "gpt2", "config.json"), published["config.json"]);
        using (var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "gpt2")))
            SafetensorsWriter.Write(published["model.safetensors"], [
                .. folder.Names.Where(name => name != "lm_head.weight").Select(name => (name.Replace("transformer.", "", StringComparison.Ordinal), folder.Read(name))),
                ("h.0.attn.bias", torch.ones(1, 1, 8, 8).tril()), ("h.0.attn.masked_bias", torch.tensor(-1e4f))]);
        using var model = GPT2LMHeadModel.FromPretrained(published.Path);
        var ids = torch.randint(3, 97, [2, 7]);
        TensorAssert.Same(_model.forward(ids), model.forward(ids));
    }

    [Fact]
    public void Names_are_those_of_the_file()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "gpt2"));
        Assert.Equal(folder.Names.Append("lm_head.weight").Distinct().Order(), _model.state_dict().Keys.Order());
    }

    [Fact]
    public void Decoding_with_a_cache_gives_what_one_forward_gives()
    {
        var ids = torch.randint(3, 97, [2, 17]);
        using var cache = new KeyValueCache();
        var parts = new List<Tensor>();
        foreach (var (start, count) in new[] { (0, 5), (5, 1), (6, 1), (7, 10) })
            parts.Add(_model.forward(ids.narrow(1, start, count), cache: cache));
        TensorAssert.Close(_model.forward(ids), torch.cat(parts, 1), 1e-5);
    }

    [Fact]
    public void Padding_on_the_left_changes_nothing_where_positions_are_given()
    {
        var ids = torch.randint(3, 97, [1, 6]);
        var padded = torch.cat([torch.zeros([1, 3], ScalarType.Int64), ids], 1);
        var mask = torch.cat([torch.zeros([1, 3], ScalarType.Int64), torch.ones_like(ids)], 1);
        var positions = (mask.cumsum(1) - 1).clamp_min(0);
        var logits = _model.forward(padded, mask, positions);
        TensorAssert.Close(_model.forward(ids), logits.narrow(1, 3, 6), 1e-5);
        Assert.True(logits.isfinite().all().item<bool>());
    }

    [Fact]
    public void More_tokens_than_positions_are_refused()
    {
        var refused = Assert.Throws<ArgumentException>(() => _model.forward(torch.zeros([1, 65], ScalarType.Int64)));
        Assert.StartsWith("there are 65 tokens, expected at most 64", refused.Message, StringComparison.Ordinal);
    }
}
