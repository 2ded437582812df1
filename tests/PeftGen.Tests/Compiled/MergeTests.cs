using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

public sealed class MergeTests
{
    public static TheoryData<string> Groups => ["", "biased", "ia3", "ln"];

    [Theory, MemberData(nameof(Groups))]
    public void Merged_is_adapted_and_unmerged_has_the_base_bits(string group)
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var merging = Merging.Of(model, group);
        model.eval();
        merging.Adapter.eval();
        Proof.Randomize(merging.Adapter);
        using var weights = new Weights(model);
        using var before = model.forward(tokens);
        using var adapted = model.forward(merging.Adapter, tokens);

        merging.Merge();
        using var merged = model.forward(tokens);
        TensorAssert.Close(adapted, merged, 1e-5, "merged");
        Assert.False(merged.allclose(before));
        using var throughAdapter = model.forward(merging.Adapter, tokens);
        TensorAssert.Same(merged, throughAdapter, "forward with the merged adapter");

        merging.Unmerge();
        weights.AssertIn(model);
        using var restored = model.forward(tokens);
        TensorAssert.Same(before, restored, "unmerged");
        using var adaptedAgain = model.forward(merging.Adapter, tokens);
        TensorAssert.Same(adapted, adaptedAgain, "adapted after unmerging");
    }

    [Fact]
    public void Merged_without_a_copy_it_is_the_same_and_stays_so()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter();
        model.eval();
        adapter.eval();
        Proof.Randomize(adapter);
        using var adapted = model.forward(adapter, tokens);
        var alive = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;
        adapter.MergeInto(model, keepBase: false);
        Assert.Equal(alive, DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount);
        using var merged = model.forward(tokens);
        TensorAssert.Close(adapted, merged, 1e-5, "merged");
        Assert.Contains("keepBase: false", Assert.Throws<AdapterException>(() => adapter.UnmergeFrom(model)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_would_act_on_top_of_a_merged_adapter_is_refused()
    {
        using var model = new ProofModel();
        using var tokens = Proof.Tokens();
        using var adapter = model.CreateAdapter();
        using var other = model.CreateIa3Adapter();
        Refused(() => adapter.UnmergeFrom(model), "nothing is merged");

        adapter.MergeInto(model);
        Refused(() => model.forward(other, tokens), "another adapter is merged");
        Refused(() => adapter.MergeInto(model), "already merged");
        Refused(() => other.MergeInto(model), "already merged");
        Refused(() => other.UnmergeFrom(model), "another adapter is merged");
        Refused(() => model.CreateAdapter(), "already merged");

        adapter.UnmergeFrom(model);
        Refused(() => adapter.UnmergeFrom(model), "nothing is merged");
        model.forward(other, tokens).Dispose();
    }

    [Fact]
    public void A_model_that_was_converted_after_merging_cannot_be_unmerged()
    {
        using var model = new ProofModel();
        using var adapter = model.CreateAdapter();
        adapter.MergeInto(model);
        model.to(ScalarType.Float64);
        Refused(() => adapter.UnmergeFrom(model), ".to()");
    }

    [Fact]
    public void A_weight_that_is_shared_is_not_merged_into()
    {
        using var model = new ProofModel(tied: true);
        using var tokens = Proof.Tokens();
        using var head = model.CreateHeadAdapter();
        Proof.Randomize(head);
        using var weights = new Weights(model);
        Refused(() => head.MergeInto(model), "lm_head", "embed_tokens.weight", "shared");
        weights.AssertIn(model);

        using var layers = model.CreateAdapter();
        layers.MergeInto(model);
        layers.UnmergeFrom(model);
    }

    [Fact]
    public void In_bf16_the_merged_weight_is_the_fp32_sum_rounded_once()
    {
        using var model = new ProofModel();
        model.to(ScalarType.BFloat16);
        using var adapter = model.CreateAdapter();
        Proof.Randomize(adapter);
        using var weights = new Weights(model);
        using var scope = NewDisposeScope();
        var a = adapter.named_parameters().Single(p => p.name == "layers.0.self_attn.q_proj.lora_A").parameter;
        var b = adapter.named_parameters().Single(p => p.name == "layers.0.self_attn.q_proj.lora_B").parameter;
        Assert.Equal(ScalarType.Float32, a.dtype);
        var expected = (weights["layers.0.self_attn.q_proj.weight"].to(ScalarType.Float32) + b.matmul(a) * 1.5).to(ScalarType.BFloat16);

        adapter.MergeInto(model);
        TensorAssert.Same(expected, model.get_parameter("layers.0.self_attn.q_proj.weight")!, "merged in bf16");
        adapter.UnmergeFrom(model);
        weights.AssertIn(model);
    }

    private static void Refused(Action action, params string[] says)
    {
        var message = Assert.Throws<AdapterException>(action).Message;
        Assert.All(says, part => Assert.Contains(part, message));
    }

    /// <summary>An adapter of a group: each has a type of its own, with its own merge.</summary>
    private sealed record Merging(ProofModel.Adapter Adapter, Action Merge, Action Unmerge) : IDisposable
    {
        public static Merging Of(ProofModel model, string group)
        {
            switch (group)
            {
                case "biased":
                    var biased = model.CreateBiasedAdapter();
                    return new(biased, () => biased.MergeInto(model), () => biased.UnmergeFrom(model));
                case "ia3":
                    var ia3 = model.CreateIa3Adapter();
                    return new(ia3, () => ia3.MergeInto(model), () => ia3.UnmergeFrom(model));
                case "ln":
                    var ln = model.CreateLnAdapter();
                    return new(ln, () => ln.MergeInto(model), () => ln.UnmergeFrom(model));
                default:
                    var lora = model.CreateAdapter();
                    return new(lora, () => lora.MergeInto(model), () => lora.UnmergeFrom(model));
            }
        }

        public void Dispose() => Adapter.Dispose();
    }

    /// <summary>A copy of a model's parameters.</summary>
    private sealed class Weights(nn.Module model) : IDisposable
    {
        private readonly Dictionary<string, Tensor> _copies = model.named_parameters().ToDictionary(p => p.name, p => p.parameter.detach().clone());

        public Tensor this[string name] => _copies[name];

        public void AssertIn(nn.Module other) => Assert.All(other.named_parameters(), p => TensorAssert.Same(_copies[p.name], p.parameter, p.name));

        public void Dispose()
        {
            foreach (var copy in _copies.Values)
                copy.Dispose();
        }
    }
}
