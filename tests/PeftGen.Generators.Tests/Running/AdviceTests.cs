using System.Text.RegularExpressions;

namespace PeftGen.Generators.Tests;

/// <summary>What an exception advises leads to an adapter, and it never advises what stands there already.</summary>
public partial class AdviceTests
{
    [GeneratedRegex(@"write this on it: \[(?<attribute>.*)\]\z")]
    private static partial Regex Advised();

    public static TheoryData<string, AdaptAttribute> Undeclared => new()
    {
        { "LoRA(2, targets: \"q\")", new LoRA(4, targets: "v_proj") },
        { "LoRA(2, targets: \"q\")", new LoRA(4, targets: "all-linear") { Dropout = 0.5 } },
        { "LoRA(2, targets: \"q\")", new LoRA(2, targets: "q") { ModulesToSave = "lm_head" } },
        { "IA3(\"k\", \"\")", new IA3("k,v", "") },
        { "PrefixTuning(2, \"attn\")", new PrefixTuning(2, "attn.inner") },
        { "LoReFT(2, targets: \"mlp\")", new LoReFT(2, targets: "attn") },
        { "LNTuning(\"norm\")", new LNTuning("other_norm") },
    };

    /// <summary>Values that want sites which the class does not declare.</summary>
    [Theory]
    [MemberData(nameof(Undeclared))]
    public void TheAttributeToWrite(string declared, AdaptAttribute values)
    {
        dynamic model = Made(Source(declared));
        var error = Assert.Throws<AdapterException>(() => model.CreateAdapter((dynamic)values)).Message;
        var advised = Advised().Match(error);
        Assert.True(advised.Success, error);
        dynamic corrected = Made(Source(advised.Groups["attribute"].Value));
        Assert.NotEmpty(((AdapterNode)corrected.CreateAdapter()).Slots());
    }

    [Fact]
    public void WhatStandsThereAlreadyIsNoAdvice()
    {
        dynamic model = Made(Source("LoRA(2, targets: \"q,extra\")", "hidden = Linear(4, 4); register_module(\"extra\", hidden);"));
        Assert.Equal(
            "[LoRA(rank: 2, targets: \"q,extra\")]: no site is compiled for attn.extra. Model declares the targets, but its code does not show that Attention holds Linear as 'extra'. " +
            "Hold it in a field, ModuleList or ModuleDict of the class's own type, register it under the field's name, or leave it out of the targets.",
            Assert.Throws<AdapterException>(() => model.CreateAdapter()).Message);
    }

    /// <summary>A target of several that this instance has not.</summary>
    [Theory]
    [InlineData("LoRA(2, targets: \"q,optional\")", "the target 'optional' is nothing of this model. It has, among others: ")]
    [InlineData("LNTuning(\"norm,maybe\")", "the target 'maybe' is nothing of this model. It has, among others: weight, bias.")]
    public void ATargetThatMetNothing(string declared, string message)
    {
        dynamic model = Made(Source(declared));
        var error = Assert.Throws<AdapterException>(() => model.CreateAdapter()).Message;
        Assert.Contains(message, error, StringComparison.Ordinal);
    }

    private static object Made(string source) => Activator.CreateInstance(RunningModel.Load(Generated.From(source)).GetTypes().Single(t => t.Name == "Model"))!;

    private static string Source(string attribute, string registration = "hidden = GELU();") => $$"""
        [{{attribute}}]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Attention attn = new();
            private readonly Mlp mlp = new();
            private readonly Linear lm_head = Linear(4, 4), extra = Linear(4, 4);
            private readonly Linear? optional = null;
            private readonly Inner? absent = null;
            private readonly LayerNorm norm = LayerNorm(4), other_norm = LayerNorm(4);
            private readonly LayerNorm? maybe = null;

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                x = x + attn.forward(norm.forward(x));
                x = x + mlp.forward(other_norm.forward(x));
                if (absent is not null)
                    x = x + absent.forward(x);
                x = maybe?.forward(x) ?? x;
                return lm_head.forward(extra.forward(optional?.forward(x) ?? x));
            }
        }

        public partial class Mlp : Module<Tensor, Tensor>
        {
            private readonly Linear down = Linear(4, 4);

            public Mlp() : base("mlp") => RegisterComponents();

            public override Tensor forward(Tensor x) => down.forward(x).tanh();
        }

        public partial class Inner : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4);

            public Inner() : base("inner") => RegisterComponents();

            public override Tensor forward(Tensor x) => q_proj.forward(functional.scaled_dot_product_attention(x, x, x));
        }

        public partial class Attention : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(4, 4), k_proj = Linear(4, 4), v_proj = Linear(4, 4), o_proj = Linear(4, 4);
            private readonly Inner inner = new();
            private readonly Module hidden;

            public Attention() : base("attention")
            {
                {{registration}}
                RegisterComponents();
            }

            public override Tensor forward(Tensor x) => inner.forward(o_proj.forward(functional.scaled_dot_product_attention(
                q_proj.forward(x).unsqueeze(1), k_proj.forward(x).unsqueeze(1), v_proj.forward(x).unsqueeze(1)).squeeze(1)));
        }
        """;
}
