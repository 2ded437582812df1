using PeftGen.Checkpoints;
using PeftGen.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Models;

public sealed class BertTests : IDisposable
{
    private readonly DisposeScope _scope = torch.NewDisposeScope();
    private readonly IDisposable _noGrad = torch.no_grad();

    [Fact]
    public void Logits_are_the_reference_ones()
    {
        var model = Load();
        using var expected = SafetensorsFile.Open(TestData.Path("cases", "lora", "bert-query-value-classifier", "expected.safetensors"));
        var logits = model.forward(expected.Read("input.input_ids"), expected.Read("input.attention_mask"), expected.Read("input.token_type_ids"));
        TensorAssert.Close(expected.Read("base_logits"), logits, 1e-5, "base_logits");
    }

    [Fact]
    public void Names_are_those_of_the_file()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "bert"));
        Assert.Equal(folder.Names.Order(), Load().state_dict().Keys.Order());
    }

    [Fact]
    public void The_headless_model_takes_the_same_weights_without_their_prefix()
    {
        using var folder = HuggingFaceFolder.Open(TestData.Path("hosts", "bert"));
        var bert = new BertModel(BertConfig.FromJson(folder.Config));
        folder.Load(bert, name => "bert." + name, mayBeSurplus: new HashSet<string> { "classifier.weight", "classifier.bias" });
        bert.eval();
        var ids = torch.randint(3, 97, [2, 7]);
        var (hidden, pooled) = bert.forward(ids);
        Assert.Equal([2L, 7, 32], hidden.shape);
        var logits = torch.nn.functional.linear(pooled, folder.Read("classifier.weight"), folder.Read("classifier.bias"));
        TensorAssert.Close(Load().forward(ids), logits, 1e-6);
    }

    [Fact]
    public void Padding_and_absent_inputs_change_nothing()
    {
        var model = Load();
        var ids = torch.randint(3, 97, [1, 6]);
        var padded = torch.cat([ids, torch.zeros([1, 3], ScalarType.Int64)], 1);
        var mask = torch.cat([torch.ones_like(ids), torch.zeros([1, 3], ScalarType.Int64)], 1);
        var alone = model.forward(ids);
        TensorAssert.Close(alone, model.forward(padded, mask), 1e-5, "padded");
        TensorAssert.Close(alone, model.forward(ids, torch.ones_like(ids), torch.zeros_like(ids)), 1e-5, "inputs given");
    }

    [Fact]
    public void A_forward_leaves_no_tensor_but_its_result()
    {
        var model = Load();
        var ids = torch.randint(3, 97, [2, 5]);
        using var inner = torch.NewDisposeScope();
        var logits = model.forward(ids, null, null);
        Assert.Equal(1, inner.DisposablesCount);
        Assert.Same(logits, inner.DisposablesView[0]);
    }

    [Fact]
    public void Bfloat16_computes_in_its_own()
    {
        var ids = torch.randint(3, 97, [2, 5]);
        var logits = BertForSequenceClassification.FromPretrained(TestData.Path("hosts", "bert"), ScalarType.BFloat16).forward(ids, torch.ones_like(ids));
        Assert.Equal(ScalarType.BFloat16, logits.dtype);
        TensorAssert.Close(Load().forward(ids), logits, 0.1);
    }

    [Fact]
    public void Gradients_reach_every_parameter()
    {
        using var grad = torch.enable_grad();
        var model = Load();
        var ids = torch.randint(3, 97, [2, 5]);
        model.forward(ids, torch.ones_like(ids)).logsumexp(-1).sum().backward();
        Assert.All(model.named_parameters(), pair => Assert.True(pair.parameter.grad is not null, pair.name));
    }

    public void Dispose()
    {
        _noGrad.Dispose();
        _scope.Dispose();
    }

    private static BertForSequenceClassification Load() => BertForSequenceClassification.FromPretrained(TestData.Path("hosts", "bert"));
}
