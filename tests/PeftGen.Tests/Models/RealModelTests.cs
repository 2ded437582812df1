using PeftGen.Checkpoints;
using PeftGen.Generation;
using PeftGen.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Models;

/// <summary>
/// Models too large for the repository, against numbers of transformers. They run where the environment variable
/// PEFTGEN_MODELS names a folder with <c>smollm2-135m</c> and <c>minilm-l6</c>.
/// </summary>
public sealed class RealModelTests : IDisposable
{
    private readonly DisposeScope _scope = torch.NewDisposeScope();
    private readonly IDisposable _noGrad = torch.no_grad();

    [Fact]
    public void SmolLM2_predicts_and_generates_as_the_reference_does()
    {
        using var model = LlamaForCausalLM.FromPretrained(Folder("smollm2-135m"));
        using var expected = SafetensorsFile.Open(TestData.Path("real", "smollm2-base.safetensors"));
        for (var prompt = 0; prompt < 4; prompt++)
        {
            using var scope = torch.NewDisposeScope();
            var ids = expected.Read($"{prompt}.input_ids").to(ScalarType.Int64).unsqueeze(0);
            var logits = model.forward(ids)[0];
            TensorAssert.Close(expected.Read($"{prompt}.last_logits"), logits[-1][TensorIndex.Slice(step: 64)], 1e-4, $"{prompt}.last_logits");
            var losses = torch.nn.functional.cross_entropy(logits[..^1], ids[0][1..], reduction: torch.nn.Reduction.None);
            TensorAssert.Close(expected.Read($"{prompt}.token_losses"), losses, 1e-4, $"{prompt}.token_losses");
            using var cache = new KeyValueCache();
            var generated = TextGeneration.Generate((i, m) => model.forward(i, m, cache), ids, null, new() { MaxNewTokens = 24, EndTokens = [2] })[0];
            Assert.Equal(expected.Read($"{prompt}.generated").to(ScalarType.Int64).data<long>().ToArray(), generated);
        }
    }

    [Fact]
    public void MiniLM_embeds_as_the_reference_does()
    {
        using var model = BertModel.FromPretrained(Folder("minilm-l6"));
        using var expected = SafetensorsFile.Open(TestData.Path("real", "minilm.safetensors"));
        var (ids, mask, segments) = (Long("input_ids"), Long("attention_mask"), Long("token_type_ids"));
        var (hidden, pooled) = model.forward(ids, mask, segments);
        TensorAssert.Close(expected.Read("last_hidden_state"), hidden.narrow(1, 0, 4), 1e-4, "last_hidden_state");
        TensorAssert.Close(expected.Read("pooled"), pooled, 1e-4, "pooled");

        Tensor Long(string name) => expected.Read(name).to(ScalarType.Int64);
    }

    public void Dispose()
    {
        _noGrad.Dispose();
        _scope.Dispose();
    }

    private static string Folder(string name)
    {
        var models = Environment.GetEnvironmentVariable("PEFTGEN_MODELS");
        Assert.SkipWhen(string.IsNullOrEmpty(models), "set PEFTGEN_MODELS to a folder with the real models");
        return Path.Combine(models!, name);
    }
}
