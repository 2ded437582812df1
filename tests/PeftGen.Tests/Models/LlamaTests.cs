using PeftGen.Checkpoints;
using PeftGen.Generation;
using PeftGen.Models;
using PeftGen.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Models;

public sealed class LlamaTests : IDisposable
{
    private readonly DisposeScope _scope = torch.NewDisposeScope();
    private readonly IDisposable _noGrad = torch.no_grad();

    [Fact]
    public void Logits_are_the_reference_ones()
    {
        var model = Load("llama");
        using var expected = SafetensorsFile.Open(TestData.Path("cases", "lora", "llama-q-v", "expected.safetensors"));
        var logits = model.forward(expected.Read("input.input_ids"), expected.Read("input.attention_mask"));
        TensorAssert.Close(expected.Read("base_logits"), logits, 1e-5, "base_logits");
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("llama_tied")]
    public void Names_are_those_of_the_file(string host)
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", host));
        Assert.Equal(folder.Names.Append("lm_head.weight").Distinct().Order(), Load(host).state_dict().Keys.Order());
    }

    [Fact]
    public void Decoding_with_a_cache_gives_what_one_forward_gives()
    {
        var model = Load("llama");
        var ids = torch.randint(3, 97, [2, 23]);
        var whole = model.forward(ids);
        using var cache = new KeyValueCache();
        var parts = new List<Tensor>();
        foreach (var (start, count) in new[] { (0, 5), (5, 1), (6, 1), (7, 4), (11, 1), (12, 11) })
        {
            parts.Add(model.forward(ids.narrow(1, start, count), cache: cache));
            Assert.Equal(start + count, cache.Length);
        }
        TensorAssert.Close(whole, torch.cat(parts, 1), 1e-5);
    }

    [Fact]
    public void Padding_on_the_left_changes_nothing()
    {
        var model = Load("llama");
        var ids = torch.randint(3, 97, [1, 6]);
        var padded = torch.cat([torch.zeros([1, 3], ScalarType.Int64), ids], 1);
        var mask = torch.cat([torch.zeros([1, 3], ScalarType.Int64), torch.ones_like(ids)], 1);
        var other = torch.randint(3, 97, [1, 9]);
        var logits = model.forward(torch.cat([padded, other], 0), torch.cat([mask, torch.ones_like(other)], 0));
        TensorAssert.Close(model.forward(ids), logits[0..1].narrow(1, 3, 6), 1e-5, "padded row");
        TensorAssert.Close(model.forward(other), logits[1..2], 1e-5, "other row");
        Assert.True(logits.isfinite().all().item<bool>());
    }

    [Fact]
    public void Padding_on_the_right_changes_nothing_before_it()
    {
        var model = Load("llama");
        var ids = torch.randint(3, 97, [1, 6]);
        var padded = torch.cat([ids, torch.zeros([1, 3], ScalarType.Int64)], 1);
        var mask = torch.cat([torch.ones_like(ids), torch.zeros([1, 3], ScalarType.Int64)], 1);
        TensorAssert.Close(model.forward(ids), model.forward(padded, mask).narrow(1, 0, 6), 1e-5);
    }

    [Fact]
    public void Greedy_decoding_of_padded_rows_gives_what_each_row_gives_alone()
    {
        var model = Load("llama");
        var (a, b) = (torch.randint(3, 97, [1, 4]), torch.randint(3, 97, [1, 7]));
        var ids = torch.cat([torch.cat([torch.zeros([1, 3], ScalarType.Int64), a], 1), b], 0);
        var mask = torch.ones_like(ids);
        mask[0, 0..3] = 0;
        var together = Continue(ids, mask);
        Assert.Equal(Slowly(model, a, 12), together[0]);
        Assert.Equal(Slowly(model, b, 12), together[1]);

        var end = together[0][4];
        var cut = Continue(a, null, end)[0];
        Assert.Equal(together[0].Take(Array.IndexOf(together[0], end) + 1), cut);

        long[][] Continue(Tensor ids, Tensor? mask, params long[] ends)
        {
            using var cache = new KeyValueCache();
            return TextGeneration.Generate((i, m) => model.forward(i, m, cache), ids, mask, new() { MaxNewTokens = 12, EndTokens = ends });
        }

        // Without a cache: one whole forward for each token.
        static long[] Slowly(LlamaForCausalLM model, Tensor ids, int count)
        {
            var length = (int)ids.shape[1];
            for (var i = 0; i < count; i++) ids = torch.cat([ids, model.forward(ids).select(1, -1).argmax(-1, keepdim: true)], 1);
            return ids[0].data<long>().ToArray()[length..];
        }
    }

    [Fact]
    public void A_forward_leaves_no_tensor_but_its_result()
    {
        var model = Load("llama");
        var (ids, mask) = (torch.randint(3, 97, [2, 5]), torch.ones([2, 5], ScalarType.Int64));
        model.forward(ids, mask).Dispose();
        using var inner = torch.NewDisposeScope();
        var logits = model.forward(ids, mask);
        Assert.Equal(1, inner.DisposablesCount);
        Assert.Same(logits, inner.DisposablesView[0]);
    }

    [Theory]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Float64)]
    public void Other_element_types_compute_in_their_own(ScalarType type)
    {
        var ids = torch.randint(3, 97, [2, 5]);
        var logits = LlamaForCausalLM.FromPretrained(TestData.Path("hosts", "llama"), type).forward(ids, torch.ones_like(ids));
        Assert.Equal(type, logits.dtype);
        TensorAssert.Close(Load("llama").forward(ids), logits, type == ScalarType.BFloat16 ? 0.05 : 1e-5);
    }

    [Fact]
    public void A_tied_head_stays_tied_when_the_model_moves_to_another_type()
    {
        var model = LlamaForCausalLM.FromPretrained(TestData.Path("hosts", "llama_tied"), ScalarType.BFloat16);
        var state = model.state_dict();
        torch.nn.init.constant_(state["model.embed_tokens.weight"], 2);
        Assert.Equal(2f, state["lm_head.weight"].@float().max().item<float>());
        using var folder = new TempFolder();
        HuggingFaceFolder.Save(folder.Path, model, []);
        using var file = SafetensorsFile.Open(folder["model.safetensors"]);
        Assert.DoesNotContain("lm_head.weight", file.Names);
    }

    [Fact]
    public void Gradients_reach_every_parameter()
    {
        using var grad = torch.enable_grad();
        var model = Load("llama");
        var ids = torch.randint(3, 97, [2, 5]);
        model.forward(ids, torch.ones_like(ids)).logsumexp(-1).sum().backward();
        Assert.All(model.named_parameters(), pair => Assert.True(pair.parameter.grad is not null, pair.name));
    }

    [Fact]
    public void Misuse_is_explained()
    {
        var model = Load("llama");
        var ids = torch.randint(3, 97, [1, 4]);
        using var cache = new KeyValueCache();
        model.forward(ids, cache: cache);
        Assert.Contains("attention_mask has 4 columns, expected 8", Assert.Throws<ArgumentException>(() => model.forward(ids, torch.ones_like(ids), cache)).Message);
        Assert.Contains("Use one cache for each generation", Assert.Throws<ArgumentException>(() => model.forward(ids.expand(2, -1), cache: cache)).Message);
        using var grad = torch.enable_grad();
        using var other = new KeyValueCache();
        Assert.Contains("torch.no_grad()", Assert.Throws<InvalidOperationException>(() => model.forward(ids, cache: other)).Message);
    }

    public void Dispose()
    {
        _noGrad.Dispose();
        _scope.Dispose();
    }

    private static LlamaForCausalLM Load(string host) => LlamaForCausalLM.FromPretrained(TestData.Path("hosts", host));
}
