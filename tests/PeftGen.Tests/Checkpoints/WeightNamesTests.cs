using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Checkpoints;

/// <summary>Folders whose names are not quite the model's, as checkpoints of Hugging Face's are.</summary>
public sealed class WeightNamesTests : IDisposable
{
    private readonly TempFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_base_that_was_saved_alone_goes_into_a_model_with_a_new_head()
    {
        var written = Write(new Base(), name => name, ("embeddings.position_ids", arange(4, dtype: ScalarType.Int64)));
        var model = new Headed();
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        var message = Assert.Throws<CheckpointException>(() => folder.Load(model)).Message;
        Assert.Contains("Missing in the folder: 2 (classifier.weight, classifier.bias). Surplus in the folder: none.", message, StringComparison.Ordinal);
        Assert.Contains("mayBeMissing: new HashSet<string> { \"classifier\" }", message, StringComparison.Ordinal);
        var head = model.classifier.weight.clone();
        var loaded = folder.Load(model, mayBeMissing: new HashSet<string> { "classifier" });
        AssertSame(written, model.bert);
        TensorAssert.Same(head, model.classifier.weight);
        Assert.Equal(["embeddings.position_ids"], loaded.Ignored);
        Assert.Equal(["classifier.weight", "classifier.bias"], loaded.Fresh);
        Assert.Equal("The model's names begin with 'bert.', which the folder's do not.", loaded.Notes[0]);
    }

    [Fact]
    public void A_base_with_another_head_gets_a_new_one()
    {
        var written = Write(new Base(), name => "bert." + name, ("cls.predictions.bias", zeros(5)), ("bert.embeddings.position_ids", zeros(1, 4, dtype: ScalarType.Int64)));
        var model = new Headed();
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        Assert.Contains("Surplus in the folder: 1 (cls.predictions.bias).", Assert.Throws<CheckpointException>(() => folder.Load(model)).Message, StringComparison.Ordinal);
        var loaded = folder.Load(model, mayBeMissing: new HashSet<string> { "classifier" });
        AssertSame(written, model.bert);
        Assert.Equal(["bert.embeddings.position_ids", "cls.predictions.bias"], loaded.Ignored);
    }

    [Fact]
    public void A_head_of_another_size_is_made_anew_when_asked()
    {
        Write(new Headed(labels: 5), name => name);
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        Assert.Contains("Of another shape: 2", Assert.Throws<CheckpointException>(() => folder.Load(new Headed())).Message, StringComparison.Ordinal);
        Assert.Equal(["classifier.weight", "classifier.bias"], folder.Load(new Headed(), mayBeMissing: new HashSet<string> { "classifier" }).Fresh);
    }

    [Fact]
    public void The_base_of_a_model_with_a_head_is_loaded_alone()
    {
        var written = new Headed();
        Write(written, name => name);
        var model = new Base();
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        var loaded = folder.Load(model);
        AssertSame(written.bert, model);
        Assert.Equal(["classifier.bias", "classifier.weight"], loaded.Ignored);
    }

    [Theory]
    [InlineData("_orig_mod.")]
    [InlineData("module.")]
    [InlineData("module._orig_mod.")]
    public void Names_of_compiled_and_parallel_modules_are_the_model_s(string prefix)
    {
        var written = Write(new Headed(), name => prefix + name);
        var model = new Headed();
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        Assert.Empty(folder.Load(model).Notes);
        AssertSame(written, model);
    }

    [Fact]
    public void Norms_of_old_exports_have_gamma_and_beta()
    {
        var written = Write(new Base(), name => name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal));
        var model = new Base();
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        folder.Load(model);
        AssertSame(written, model);
    }

    [Theory]
    [InlineData("h.0.attn.bias", true, 1, 1, 4, 4)]
    [InlineData("h.0.attn.masked_bias", true)]
    [InlineData("layers.0.self_attn.rotary_emb.inv_freq", true, 2)]
    [InlineData("h.0.attn.bias", false, 4)]
    [InlineData("other.weight", false, 4)]
    public void Buffers_that_only_old_exports_have_are_told_by_name_and_shape(string name, bool isOld, params int[] shape)
    {
        Write(new Base(), n => n, (name, zeros([.. shape.Select(size => (long)size)])));
        using var folder = HuggingFaceFolder.Open(_folder.Path);
        if (isOld)
            Assert.Equal([name], folder.Load(new Base()).Ignored);
        else
            Assert.Contains($"Surplus in the folder: 1 ({name}).", Assert.Throws<CheckpointException>(() => folder.Load(new Base())).Message, StringComparison.Ordinal);
    }

    private T Write<T>(T model, Func<string, string> names, params (string, Tensor)[] others) where T : nn.Module
    {
        SafetensorsWriter.Write(_folder["model.safetensors"], model.state_dict().Select(pair => (names(pair.Key), pair.Value)).Concat(others));
        File.WriteAllText(_folder["config.json"], "{}");
        return model;
    }

    private static void AssertSame(nn.Module expected, nn.Module found)
    {
        var read = found.state_dict();
        foreach (var (name, value) in expected.state_dict())
            TensorAssert.Same(value, read[name], name);
    }

    private sealed class Base : nn.Module
    {
        public readonly Linear dense = nn.Linear(3, 4);
        public readonly LayerNorm LayerNorm = nn.LayerNorm(4);

        public Base() : base(nameof(Base)) => RegisterComponents();
    }

    private sealed class Headed : nn.Module
    {
        public readonly Base bert = new();
        public readonly Linear classifier;

        public Headed(int labels = 2) : base(nameof(Headed))
        {
            classifier = nn.Linear(4, labels);
            RegisterComponents();
        }
    }
}
