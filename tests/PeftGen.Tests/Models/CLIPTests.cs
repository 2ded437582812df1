using PeftGen.Checkpoints;
using PeftGen.Models;
using PeftGen.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Models;

public sealed class CLIPTests : IDisposable
{
    // The host's configuration says 2, so the highest token of a text is its end.
    private const int End = 96;

    private readonly DisposeScope _scope = torch.NewDisposeScope();
    private readonly IDisposable _noGrad = torch.no_grad();

    public void Dispose()
    {
        _noGrad.Dispose();
        _scope.Dispose();
    }

    [Fact]
    public void Logits_are_the_reference_ones()
    {
        using var expected = SafetensorsFile.Open(TestData.Path("cases", "lora", "clip-both-towers", "expected.safetensors"));
        var logits = Load().forward(expected.Read("input.input_ids"), expected.Read("input.pixel_values"), expected.Read("input.attention_mask"));
        TensorAssert.Close(expected.Read("base_logits"), logits, 1e-5, "base_logits");
    }

    [Fact]
    public void Names_are_those_of_the_file()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "clip"));
        Assert.Equal(folder.Names.Order(), Load().state_dict().Keys.Order());
    }

    [Fact]
    public void Every_text_is_compared_with_every_image()
    {
        var model = Load();
        var (ids, images) = (Texts(2, 5), torch.randn(3, 3, 16, 16));
        var logits = model.forward(ids, images);
        Assert.Equal([2L, 3], logits.shape);
        var cosine = torch.nn.functional.cosine_similarity(model.EmbedTexts(ids).unsqueeze(1), model.EmbedImages(images).unsqueeze(0), 2, 1e-8);
        TensorAssert.Close(cosine * model.state_dict()["logit_scale"].exp(), logits, 1e-5);
        TensorAssert.Close(logits.narrow(1, 1, 1), model.forward(ids, images.narrow(0, 1, 1)), 1e-5, "one image");
    }

    [Fact]
    public void Padding_on_the_right_changes_nothing()
    {
        var model = Load();
        var (ids, images) = (Texts(1, 5), torch.randn(2, 3, 16, 16));
        var none = torch.zeros([1, 3], ScalarType.Int64);
        var (padded, mask) = (torch.cat([ids, none], 1), torch.cat([torch.ones_like(ids), none], 1));
        var alone = model.forward(ids, images);
        TensorAssert.Close(alone, model.forward(padded, images, mask), 1e-5, "hidden");
        // What comes after the end of a text is not seen from there.
        TensorAssert.Close(alone, model.forward(padded, images), 1e-5, "not hidden");
    }

    [Fact]
    public void Padding_on_the_left_is_not_seen()
    {
        var model = Load();
        var ids = Texts(1, 6);
        var (other, mask) = (ids.clone(), torch.ones_like(ids));
        other[0, 0] = ids[0, 0].item<long>() == 3 ? 4 : 3;
        mask[0, 0] = 0;
        TensorAssert.Close(model.EmbedTexts(ids, mask), model.EmbedTexts(other, mask), 1e-6);
        Assert.False(model.EmbedTexts(ids).allclose(model.EmbedTexts(other)));
    }

    /// <summary>Newer configurations name the right token; padding may be the same one.</summary>
    [Fact]
    public void A_text_ends_at_the_first_token_of_that_meaning()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "clip"));
        var config = CLIPConfig.FromJson(folder.Config);
        var model = new CLIPModel(config with { Text = config.Text with { EosTokenId = 7 } });
        folder.Load(model);
        model.eval();
        var ends = torch.tensor(new long[,] { { 1, 30, 7, 7, 7 } });
        TensorAssert.Close(model.EmbedTexts(ends.narrow(1, 0, 3)), model.EmbedTexts(ends), 1e-5);
        // By the other rule it would end at 30.
        Assert.False(model.EmbedTexts(ends).allclose(Load().EmbedTexts(ends)));
    }

    [Fact]
    public void The_activation_is_the_one_of_the_configuration()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "clip"));
        var json = folder.Config.DeepClone().AsObject();
        json["text_config"]!["hidden_act"] = "gelu";
        var model = new CLIPModel(CLIPConfig.FromJson(json));
        folder.Load(model);
        model.eval();
        var (ids, images) = (Texts(2, 5), torch.randn(2, 3, 16, 16));
        TensorAssert.Same(Load().EmbedImages(images), model.EmbedImages(images));
        // The two functions are no more than 0.02 apart.
        TensorAssert.Close(Load().EmbedTexts(ids), model.EmbedTexts(ids), 0.1);
        Assert.False(Load().EmbedTexts(ids).allclose(model.EmbedTexts(ids)));
    }

    [Fact]
    public void Files_of_older_versions_are_read()
    {
        using var saved = new TempFolder();
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "clip"));
        var model = Load();
        model.register_buffer("position_ids", torch.arange(32));
        HuggingFaceFolder.Save(saved.Path, model, folder.Config, name => name == "position_ids" ? "text_model.embeddings.position_ids" : name);
        var (ids, images) = (Texts(2, 5), torch.randn(2, 3, 16, 16));
        TensorAssert.Same(Load().forward(ids, images), CLIPModel.FromPretrained(saved.Path).forward(ids, images));
    }

    [Fact]
    public void Inputs_of_another_size_are_refused()
    {
        var model = Load();
        var images = Assert.Throws<ArgumentException>(() => model.forward(Texts(1, 5), torch.zeros(1, 3, 8, 16)));
        Assert.StartsWith("pixel_values is [1, 3, 8, 16], expected [images, 3, 16, 16]", images.Message, StringComparison.Ordinal);
        var texts = Assert.Throws<ArgumentException>(() => model.forward(Texts(1, 33), torch.zeros(1, 3, 16, 16)));
        Assert.StartsWith("there are 33 tokens, expected at most 32", texts.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_forward_leaves_no_tensor_but_its_result()
    {
        var model = Load();
        var (ids, images) = (Texts(2, 5), torch.randn(2, 3, 16, 16));
        var mask = torch.ones_like(ids);
        using var inner = torch.NewDisposeScope();
        var logits = model.forward(ids, images, mask);
        Assert.Equal(1, inner.DisposablesCount);
        Assert.Same(logits, inner.DisposablesView[0]);
    }

    [Fact]
    public void Bfloat16_computes_in_its_own()
    {
        var (ids, images) = (Texts(2, 5), torch.randn(2, 3, 16, 16));
        var logits = CLIPModel.FromPretrained(TestData.Path("hosts", "clip"), ScalarType.BFloat16).forward(ids, images.to(ScalarType.BFloat16), torch.ones_like(ids));
        Assert.Equal(ScalarType.BFloat16, logits.dtype);
        TensorAssert.Close(Load().forward(ids, images), logits, 0.1);
    }

    [Fact]
    public void Gradients_reach_every_parameter()
    {
        using var grad = torch.enable_grad();
        var model = Load();
        model.forward(Texts(2, 5), torch.randn(2, 3, 16, 16)).diagonal().mean().backward();
        Assert.All(model.named_parameters(), pair => Assert.True(pair.parameter.grad is not null, pair.name));
    }

    private static CLIPModel Load() => CLIPModel.FromPretrained(TestData.Path("hosts", "clip"));

    private static Tensor Texts(long count, long tokens) =>
        torch.cat([torch.randint(3, End, [count, tokens - 1]), torch.full([count, 1], End, dtype: ScalarType.Int64)], 1);
}
