using PeftGen.Tests.Checkpoints;
using PeftGen.Tests.Methods.Hosts;
using PeftGen.Tests.Tiny;
using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods;

/// <summary>Methods of one group that want the same place: some may meet, others are refused. What is given at run time may exclude each other where the declarations do not.</summary>
public sealed class ExclusionTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Two_copies_of_one_norm_are_refused()
    {
        var error = Refused(new LNTuning("norm"), new BitFit());
        Assert.Equal(
            "norm: [LNTuning(targets: \"norm\")] trains a copy of this layer's weight and bias, and [BitFit] one of its bias. Only one of the copies can run. " +
            "Give them different targets, or put one of them into a group of its own.", error);
    }

    [Fact]
    public void Copies_of_different_parameters_of_one_layer_are_refused_too() =>
        Assert.StartsWith("norm: [LNTuning(targets: \"norm.weight\")] trains a copy of this layer's weight, and [BitFit(targets: \"norm.bias\")] one of its bias.", Refused(new LNTuning("norm.weight"), new BitFit("norm.bias")), StringComparison.Ordinal);

    [Fact]
    public void Two_methods_that_train_all_biases_are_refused() =>
        Assert.StartsWith("q_proj: [LoRA(", Refused(new LoRA(2, targets: "q_proj") { Bias = LoRABias.All }, new BitFit()), StringComparison.Ordinal);

    [Fact]
    public void Two_methods_that_train_one_module_whole_are_refused() =>
        Assert.StartsWith("head: [LoRA(", Refused(new LoRA(2, targets: "q_proj") { ModulesToSave = "head" }, new IA3("q_proj", "") { ModulesToSave = "head" }), StringComparison.Ordinal);

    [Fact]
    public void Two_sets_of_tokens_in_one_embedding_are_refused() => Assert.Equal(
        "embed_tokens: [TrainableTokens(tokens: new int[] { 1 })] and [LoRA(rank: 2, targets: \"q_proj\", TrainableTokens = new int[] { 2 })] exclude each other, since a group has one set of trained tokens at a place. " +
        "Give them different targets, or put one of them into a group of its own.",
        Refused(new TrainableTokens([1]), new LoRA(2, targets: "q_proj") { TrainableTokens = [2] }));

    [Fact]
    public void Two_prompts_are_refused() => Assert.StartsWith(
        "the model's inputs: [PromptTuning(length: 2)] and [EmbeddedPrompt(length: 3)] exclude each other, since a group has one prompt at a place.",
        Refused(new PromptTuning(2), new LoRA(2, targets: "q_proj"), new EmbeddedPrompt(3)), StringComparison.Ordinal);

    [Fact]
    public void Two_prefixes_at_one_attention_are_refused() => Assert.Matches(
        @"^layers\.0: \[PrefixTuning\(length: 2\)\] and \[PrefixTuning\(.*\)\] exclude each other, since a group has one prefix at a place\.",
        Assert.Throws<AdapterException>(() => new AttentionHost(blocks: 1).Create(new PrefixTuning(2), new UniPELT(loraTargets: null, adapterTargets: null))).Message);

    [Fact]
    public void Two_values_of_one_parameter_are_refused() => Assert.StartsWith(
        "blocks.0.scale: [LNTuning(targets: \"scale\")] and [BitFit(targets: \"scale\")] want the same parameter site, which is for one.",
        Assert.Throws<AdapterException>(() => new TinyModel().CreateAdapter(3, new LNTuning("scale"), new BitFit("scale"))).Message, StringComparison.Ordinal);

    [Fact]
    public void Copies_of_different_layers_and_what_acts_around_them_go_together()
    {
        var host = Host();
        var adapter = host.Create(new LNTuning("norm"), new BitFit("q_proj.bias"), new LoRA(2, targets: "q_proj") { ModulesToSave = "head" }, new IA3("q_proj,head", ""));
        Fill.Normal(adapter, 2);
        host.forward(adapter, tensor(new long[,] { { 1, 2 }, { 3, 0 } })).pow(2).sum().backward();
        Assert.All(adapter.named_parameters(), p => Assert.True(p.parameter.grad is not null, $"{p.name} has no gradient"));
    }

    /// <summary>Both name their prompts alike in files.</summary>
    [Fact]
    public void A_prefix_and_a_prompt_act_together_and_share_a_file()
    {
        using var folder = new TempFolder();
        var model = new PrefixModel();
        var ids = tensor(new long[,] { { 1, 2, 3 }, { 4, 5, 6 } });
        using var adapter = model.CreateBothAdapter();
        Fill.Normal(adapter, 2);
        var y = model.forward(adapter, ids);
        Assert.Equal([2, 6, PrefixModel.Vocabulary], y.shape);
        adapter.Save(folder.Path);
        using var loaded = model.LoadBothAdapter(folder.Path);
        TensorAssert.Same(y, model.forward(loaded, ids));
    }

    /// <summary>Their parameters have the same names in files.</summary>
    [Theory]
    [MemberData(nameof(AlikeInFiles))]
    public void Methods_that_name_their_parameters_alike_share_a_file(AdaptAttribute first, AdaptAttribute second)
    {
        using var folder = new TempFolder();
        var host = Host();
        var ids = tensor(new long[,] { { 1, 2 }, { 3, 0 } });
        var adapter = host.Create(first, second);
        Fill.Normal(adapter, 2);
        var y = host.forward(adapter, ids);
        adapter.Save(folder.Path);
        TensorAssert.Same(y, host.forward(host.Load(folder.Path, first, second), ids));
    }

    public static TheoryData<AdaptAttribute, AdaptAttribute> AlikeInFiles => new()
    {
        { new LoRA(2, targets: "q_proj"), new MTLLoRA(1, 2, targets: "q_proj") },
        { new LoReFT(2, targets: "norm") { Dropout = 0 }, new NoReFT(1, targets: "norm") { Dropout = 0 } },
    };

    private static string Refused(params AdaptAttribute[] values) => Assert.Throws<AdapterException>(() => Host().Create(values)).Message;

    private static LayerHost Host() => new(("embed_tokens", nn.Embedding(9, 6)), ("q_proj", nn.Linear(6, 5)), ("norm", nn.LayerNorm(5)), ("head", nn.Linear(5, 3)));
}
