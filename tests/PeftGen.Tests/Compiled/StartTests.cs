using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

public sealed class StartTests
{
    public static TheoryData<string> Groups => ["", "biased", "ia3", "ln"];

    [Theory, MemberData(nameof(Groups))]
    public void A_new_adapter_changes_no_bit_and_another_value_does(string group)
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        model.eval();
        using var before = model.forward(tokens);
        using var adapter = Create(model, group);
        adapter.eval();

        using var atStart = model.forward(adapter, tokens);
        TensorAssert.Same(before, atStart);

        Proof.Randomize(adapter);
        using var other = model.forward(adapter, tokens);
        Assert.False(other.allclose(before));
        using var afterwards = model.forward(tokens);
        TensorAssert.Same(before, afterwards, "the base beside an adapter");
    }

    [Theory, MemberData(nameof(Groups))]
    public void Gradients_reach_every_parameter_of_the_adapter_and_none_of_the_base(string group)
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = Create(model, group);
        Proof.Randomize(adapter);

        using var logits = model.forward(adapter, tokens);
        using var loss = Proof.Loss(logits, tokens);
        loss.backward();

        Assert.NotEmpty(adapter.parameters());
        foreach (var (name, parameter) in adapter.named_parameters())
        {
            using var gradient = parameter.grad;
            Assert.True(gradient is not null && gradient.count_nonzero().item<long>() > 0, $"{name} has no gradient");
        }

        Assert.All(model.named_parameters(), p => Assert.Null(p.parameter.grad));
    }

    [Fact]
    public void Creating_freezes_the_base_and_Unfreeze_restores_each_flag()
    {
        using var model = new ProofModel();
        foreach (var parameter in model.parameters().Where((_, i) => i % 3 == 1))
            parameter.requires_grad = false;
        var flags = model.parameters().Select(p => p.requires_grad).ToList();

        using var first = model.CreateAdapter();
        using var second = model.CreateIa3Adapter();
        Assert.All(model.parameters(), p => Assert.False(p.requires_grad));
        Assert.All(first.parameters().Concat(second.parameters()), p => Assert.True(p.requires_grad));

        model.Unfreeze();
        Assert.Equal(flags, model.parameters().Select(p => p.requires_grad));
    }

    [Fact]
    public void Generation_leaves_the_model_the_names_of_its_own_members()
    {
        using var model = new ProofModel();
        var names = model.state_dict().Keys.ToList();
        Assert.Equal(Named(), names);
        var modules = model.named_modules().Select(m => m.name).ToList();

        using var adapter = model.CreateAdapter();
        using var with = model.With(adapter);
        Assert.Equal(names, model.state_dict().Keys);
        Assert.Equal(modules, model.named_modules().Select(m => m.name));
        Assert.Empty(model.named_buffers());
    }

    private static IEnumerable<string> Named()
    {
        string[] block = ["input_layernorm.weight", .. Layer("self_attn.q_proj"), .. Layer("self_attn.k_proj"), .. Layer("self_attn.v_proj"), "self_attn.o_proj.weight",
            "post_attention_layernorm.weight", .. Layer("mlp.up_proj"), .. Layer("mlp.down_proj")];
        return ["embed_tokens.weight", .. Enumerable.Range(0, ProofModel.Blocks).SelectMany(i => block.Select(name => $"layers.{i}.{name}")), "norm.weight", "lm_head.weight"];
    }

    private static string[] Layer(string name) => [$"{name}.weight", $"{name}.bias"];

    private static ProofModel.Adapter Create(ProofModel model, string group) => group switch
    {
        "biased" => model.CreateBiasedAdapter(),
        "ia3" => model.CreateIa3Adapter(),
        "ln" => model.CreateLnAdapter(),
        _ => model.CreateAdapter(),
    };
}
