using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>Values of a declaration that cannot be, or do nothing, by themselves or beside the others: PG006, PG043, PG044, PG045.</summary>
public class ValueDiagnosticTests
{
    [Theory]
    [InlineData("IA3(\"up\", \"\", [|Pooling = GatePooling.Masked|])", "Pooling of IA3 has no effect without Gated; set that, too, or leave it away")]
    [InlineData("LoRA(2, [|16|], \"up\", Gated = true)", "alpha of LoRA has no effect beside Gated; leave one of them away")]
    [InlineData("LoRA(2, [|alpha: 16|], targets: \"up\", Gated = true)", "alpha of LoRA has no effect beside Gated; leave one of them away")]
    [InlineData("LoRA(2, targets: \"up\", [|RsLora = true|], Gated = true)", "RsLora of LoRA has no effect beside Gated; leave one of them away")]
    [InlineData("Bottleneck(2, \"mlp\", [|Scaling = 2|], LearnedScaling = LearnedScaling.Single)", "Scaling of Bottleneck has no effect beside LearnedScaling; leave one of them away")]
    [InlineData("Bottleneck(2, \"mlp\", [|AdapterResidualBeforeLn = true|])", "AdapterResidualBeforeLn of Bottleneck has no effect without LnAfter; set that, too, or leave it away")]
    [InlineData("Bottleneck(2, \"mlp\", Parallel = true, LnAfter = true, [|AdapterResidualBeforeLn = true|])", "AdapterResidualBeforeLn of Bottleneck has no effect beside Parallel; leave one of them away")]
    [InlineData("PrefixTuning(4, \"attn\", [|ProjectionInput = 8|])", "ProjectionInput of PrefixTuning has no effect without Projection; set that, too, or leave it away")]
    [InlineData("PTuning(4, \"embed_tokens\", [|Dropout = 0.1|])", "Dropout of PTuning has no effect without Encoder; set that, too, or leave it away")]
    [InlineData("MTLLoRA(2, 2, targets: \"up\", [|Sharpness = 0.1|])", "Sharpness of MTLLoRA has no effect without Projections; set that, too, or leave it away")]
    [InlineData("UniPELT([|rank: 4|], loraTargets: null, prefixTargets: \"attn\", adapterTargets: null)", "rank of UniPELT has no effect without loraTargets; set that, too, or leave it away")]
    [InlineData("MultitaskPromptTuning(4, 1, 1, \"embed_tokens\", Start = TaskPromptStart.SourceShared, Source = \"trained\", [|SourceTask = 1|])", "SourceTask of MultitaskPromptTuning has no effect without Start = SourceTask; set that, too, or leave it away")]
    public void NoEffect(string attribute, string message) => Reports("PG043", message, attribute);

    [Theory]
    [InlineData("PromptTuning(4, \"embed_tokens\", [|Start = PromptStart.Tokens|])", "PromptTuning cannot be made with these values: Start = Tokens needs StartTokens; set both or neither")]
    [InlineData("PromptTuning(4, \"embed_tokens\", [|StartTokens = [1, 2]|])", "PromptTuning cannot be made with these values: StartTokens needs Start = Tokens; set both or neither")]
    [InlineData("PromptTuning(4, \"embed_tokens\", Start = PromptStart.Vocabulary, [|StartTokens = [1, 2]|])", "PromptTuning cannot be made with these values: StartTokens needs Start = Tokens; set both or neither")]
    [InlineData("MultitaskPromptTuning(4, 2, 1, \"embed_tokens\", [|Start = TaskPromptStart.Tokens|])", "MultitaskPromptTuning cannot be made with these values: Start = Tokens needs StartTokens; set both or neither")]
    [InlineData("MultitaskPromptTuning(4, 2, 1, \"embed_tokens\", [|StartTokens = [1, 2]|])", "MultitaskPromptTuning cannot be made with these values: StartTokens needs Start = Tokens; set both or neither")]
    [InlineData("MultitaskPromptTuning(4, 2, 1, \"embed_tokens\", [|Start = TaskPromptStart.SourceShared|])", "MultitaskPromptTuning cannot be made with these values: Start = SourceShared needs Source; set both or neither")]
    [InlineData("MultitaskPromptTuning(4, 2, 1, \"embed_tokens\", Start = TaskPromptStart.Vocabulary, [|Source = \"trained\"|])", "MultitaskPromptTuning cannot be made with these values: Source needs Start = SourceShared, SourceAverage or SourceTask; set both or neither")]
    [InlineData("MultitaskPromptTuning(4, 2, 1, \"embed_tokens\", [|Start = TaskPromptStart.SourceAverage|], Source = \"trained\")", "MultitaskPromptTuning cannot be made with these values: Start = SourceAverage needs tasks = 1; set both or neither")]
    [InlineData("LoReFT(2, [|0|], targets: \"mlp\")", "LoReFT cannot be made with these values: none of prefixPositions, suffixPositions is given; give at least one")]
    [InlineData("UniPELT([|loraTargets: null|], prefixTargets: null, adapterTargets: null)", "UniPELT cannot be made with these values: none of loraTargets, prefixTargets, adapterTargets is given; give at least one")]
    [InlineData("TrainableTokens([|[]|], \"embed_tokens\")", "TrainableTokens cannot be made with these values: tokens is empty; give at least one")]
    [InlineData("TrainableTokens([|[3, 1, 3]|], \"embed_tokens\")", "TrainableTokens cannot be made with these values: tokens has 3 twice; leave one of them away")]
    [InlineData("LoRA(2, targets: \"up\", [|TrainableTokens = [1, 1]|])", "LoRA cannot be made with these values: TrainableTokens has 1 twice; leave one of them away")]
    public void Contradictions(string attribute, string message) => Reports("PG044", message, attribute);

    [Theory]
    [InlineData("Bottleneck(2, \"mlp\", NonLinearity = \"[|gleu|]\")", "NonLinearity is 'gleu', which Bottleneck does not know; did you mean 'gelu'?")]
    [InlineData("Invertible(targets: \"embed_tokens\", NonLinearity = \"[|sofftanh|]\")", "NonLinearity is 'sofftanh', which Invertible does not know; there are relu, relu2, relu6, leakyrelu, leaky_relu, gelu, gelu_python, gelu_10, gelu_new, gelu_fast, gelu_accurate, gelu_pytorch_tanh, gelu_python_tanh, quick_gelu, swish, silu, mish, tanh, sigmoid, laplace, linear")]
    [InlineData("NoReFT(targets: \"mlp\", NonLinearity = \"[|tan|]\")", "NonLinearity is 'tan', which NoReFT does not know; did you mean 'tanh'?")]
    public void UnknownNames(string attribute, string message) => Reports("PG045", message, attribute);

    [Theory]
    [InlineData("LoRA(2, targets: \"up\", Layers = [|[0, -1]|])", "a number of Layers is -1; LoRA takes a number of Layers from 0 to 65536")]
    [InlineData("Bottleneck(2, \"mlp\", LeaveOut = [|[-2]|])", "a number of LeaveOut is -2; Bottleneck takes a number of LeaveOut from 0 to 65536")]
    [InlineData("LoRA(2, targets: \"up\", RankPattern = [|\"up=0\"|])", "a number of RankPattern is 0; LoRA takes a number of RankPattern from 1 to 65536")]
    [InlineData("PromptTuning(4, \"embed_tokens\", Start = PromptStart.Tokens, StartTokens = [|[3, -1]|])", "a number of StartTokens is -1; PromptTuning takes a number of StartTokens from 0 to 2147483647")]
    [InlineData("TrainableTokens([|[3, -1]|], \"embed_tokens\")", "a number of tokens is -1; TrainableTokens takes a number of tokens from 0 to 2147483647")]
    public void NumbersOfListsOutOfRange(string attribute, string message) => Reports("PG006", message, attribute);

    /// <summary>What fits, and what says the method's own default, is no matter.</summary>
    [Theory]
    [InlineData("IA3(\"up\", \"\", Gated = true, Pooling = GatePooling.Masked)")]
    [InlineData("IA3(\"up\", \"\", Pooling = GatePooling.All)")]
    [InlineData("LoRA(2, 8, \"up\", Gated = true)")]
    [InlineData("LoRA(2, 16, \"up\", Gated = false, RsLora = true)")]
    [InlineData("Bottleneck(2, \"mlp\", Scaling = 2, LearnedScaling = LearnedScaling.None)")]
    [InlineData("AdapterPlus(2, \"mlp\", LearnedScaling = LearnedScaling.None, Scaling = 2)")]
    [InlineData("ParallelAdapter(2, \"mlp\", LearnedScaling = LearnedScaling.Channel)")]
    [InlineData("Bottleneck(2, \"mlp\", NonLinearity = \"GeLU\")")]
    [InlineData("PTuning(4, \"embed_tokens\", Encoder = PromptNetwork.Lstm, Layers = 1, Dropout = 0.1)")]
    [InlineData("PromptTuning(4, \"embed_tokens\", Start = PromptStart.Tokens, StartTokens = [1, 1])")]
    [InlineData("PromptTuning(4, \"embed_tokens\", Start = PromptStart.Vocabulary)")]
    [InlineData("MultitaskPromptTuning(4, 2, 1, \"embed_tokens\", Start = TaskPromptStart.SourceShared, Source = \"trained\")")]
    [InlineData("MultitaskPromptTuning(4, 1, 1, \"embed_tokens\", Start = TaskPromptStart.SourceTask, Source = \"trained\", SourceTask = 2)")]
    [InlineData("DiReFT(2, 0, 3, \"mlp\")")]
    [InlineData("UniPELT(loraTargets: \"up\", prefixTargets: null, adapterTargets: \"mlp\")")]
    [InlineData("TrainableTokens([3, 1], \"embed_tokens\")")]
    [InlineData("LoRA(2, targets: \"up\", TrainableTokens = [])")]
    public void WhatFits(string attribute)
    {
        var generated = Generated.From(Declared(attribute));
        Assert.DoesNotContain(generated.Reported, d => d.Severity >= DiagnosticSeverity.Warning);
        generated.AssertCompiles();
    }

    private static void Reports(string id, string message, string marked)
    {
        var (open, close) = (marked.IndexOf("[|", StringComparison.Ordinal), marked.IndexOf("|]", StringComparison.Ordinal));
        var text = marked[(open + 2)..close];
        var generated = Generated.From(Declared(marked[..open] + text + marked[(close + 2)..]));
        Assert.Equal([$"{id} '{text}': {message}"],
            generated.Reported.Where(d => d.Severity >= DiagnosticSeverity.Warning).Select(d => $"{d.Id} '{d.Location.SourceTree!.GetText().ToString(d.Location.SourceSpan)}': {d.GetMessage()}"));
        Assert.Empty(generated.CompilerDiagnostics());
    }

    private static string Declared(string attribute) => $$"""
        [{{attribute}}]
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding embed_tokens = Embedding(16, 8);
            private readonly Attend attn = new();
            private readonly Mlp mlp = new();
            private readonly LayerNorm norm = LayerNorm(8);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor input_ids)
            {
                var x = attn.forward(embed_tokens.forward(input_ids));
                return norm.forward(mlp.forward(x) + x);
            }
        }

        public partial class Mlp : Module<Tensor, Tensor>
        {
            private readonly Linear up = Linear(8, 8);

            public Mlp() : base("mlp") => RegisterComponents();

            public override Tensor forward(Tensor x) => up.forward(x);
        }

        public partial class Attend : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(8, 8), k_proj = Linear(8, 8), v_proj = Linear(8, 8);

            public Attend() : base("attn") => RegisterComponents();

            public override Tensor forward(Tensor x) =>
                functional.scaled_dot_product_attention(q_proj.forward(x).unsqueeze(1), k_proj.forward(x).unsqueeze(1), v_proj.forward(x).unsqueeze(1)).squeeze(1);
        }
        """;
}
