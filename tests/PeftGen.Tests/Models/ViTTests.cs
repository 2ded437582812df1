using PeftGen.Checkpoints;
using PeftGen.Models;
using PeftGen.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Models;

public sealed class ViTTests : IDisposable
{
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
        using var expected = SafetensorsFile.Open(TestData.Path("cases", "lora", "vit-query-value", "expected.safetensors"));
        TensorAssert.Close(expected.Read("base_logits"), Load().forward(expected.Read("input.pixel_values")), 1e-5, "base_logits");
    }

    [Fact]
    public void Names_in_the_file_are_the_older_ones()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "vit"));
        var names = Load().state_dict().Keys;
        Assert.Contains("vit.layers.1.attention.q_proj.weight", names);
        Assert.Equal(folder.Names.Order(), names.Select(ViTForImageClassification.NameInFile).Order());
    }

    [Fact]
    public void A_saved_model_comes_back()
    {
        using var saved = new TempFolder();
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "vit"));
        HuggingFaceFolder.Save(saved.Path, Load(), folder.Config, ViTForImageClassification.NameInFile);
        var images = torch.randn(2, 3, 16, 16);
        TensorAssert.Same(Load().forward(images), ViTForImageClassification.FromPretrained(saved.Path).forward(images));
    }

    [Fact]
    public void Each_image_is_seen_alone()
    {
        var model = Load();
        var images = torch.randn(3, 3, 16, 16);
        var alone = Enumerable.Range(0, 3).Select(i => model.forward(images.narrow(0, i, 1))).ToArray();
        TensorAssert.Close(torch.cat(alone), model.forward(images), 1e-5);
    }

    [Theory]
    [InlineData("[2, 3, 16, 20]", 2L, 3L, 16L, 20L)]
    [InlineData("[2, 3, 32, 32]", 2L, 3L, 32L, 32L)]
    [InlineData("[2, 1, 16, 16]", 2L, 1L, 16L, 16L)]
    [InlineData("[3, 16, 16]", 3L, 16L, 16L)]
    public void Images_of_another_size_are_refused(string found, params long[] shape)
    {
        var refused = Assert.Throws<ArgumentException>(() => Load().forward(torch.zeros(shape)));
        Assert.StartsWith($"pixel_values is {found}, expected [batch, 3, 16, 16]", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_forward_leaves_no_tensor_but_its_result()
    {
        var model = Load();
        var images = torch.randn(2, 3, 16, 16);
        using var inner = torch.NewDisposeScope();
        var logits = model.forward(images);
        Assert.Equal(1, inner.DisposablesCount);
        Assert.Same(logits, inner.DisposablesView[0]);
    }

    [Fact]
    public void Bfloat16_computes_in_its_own()
    {
        var images = torch.randn(2, 3, 16, 16);
        var logits = ViTForImageClassification.FromPretrained(TestData.Path("hosts", "vit"), ScalarType.BFloat16).forward(images.to(ScalarType.BFloat16));
        Assert.Equal(ScalarType.BFloat16, logits.dtype);
        TensorAssert.Close(Load().forward(images), logits, 0.1);
    }

    [Fact]
    public void Gradients_reach_every_parameter()
    {
        using var grad = torch.enable_grad();
        var model = Load();
        model.forward(torch.randn(2, 3, 16, 16)).logsumexp(-1).sum().backward();
        Assert.All(model.named_parameters(), pair => Assert.True(pair.parameter.grad is not null, pair.name));
    }

    private static ViTForImageClassification Load() => ViTForImageClassification.FromPretrained(TestData.Path("hosts", "vit"));
}
