using Microsoft.CodeAnalysis;

namespace PeftGen.Generators.Tests;

/// <summary>Declarations of one group that want the same place: PG008, and what goes together.</summary>
public class ExclusionDiagnosticTests
{
    private const string Apart = "put one into a group of its own with Group = \"…\"";

    [Theory]
    [InlineData("LNTuning(\"norm\")", "BitFit", "LNTuning and BitFit both adapt Block.norm.bias")]
    [InlineData("BitFit", "LNTuning(\"norm\")", "BitFit and LNTuning both adapt Block.norm.bias")]
    [InlineData("LNTuning(\"norm.weight\")", "BitFit(\"norm.bias\")", "LNTuning and BitFit both adapt Block.norm")]
    [InlineData("LoRA(2, targets: \"q_proj\", Bias = LoRABias.All)", "BitFit(\"up.bias\")", "LoRA and BitFit both adapt Block.up.bias")]
    [InlineData("LoRA(2, targets: \"q_proj\", Bias = LoRABias.All)", "BitFit", "LoRA and BitFit both adapt SelfAttention.q_proj.bias and 3 more")]
    [InlineData("LoRA(2, targets: \"q_proj\", ModulesToSave = \"lm_head\")", "IA3(\"q_proj\", \"\", ModulesToSave = \"lm_head\")", "LoRA and IA3 both adapt Model.lm_head.weight")]
    [InlineData("LNTuning(\"rms\")", "LoRA(2, targets: \"q_proj\", ModulesToSave = \"rms\")", "LNTuning and LoRA both adapt RMSNorm.weight")]
    [InlineData("LNTuning(@\"regex:layers\\.\\d+\\.norm\")", "BitFit(\"layers.0.norm.bias\")", "LNTuning and BitFit both adapt Block.norm.bias")]
    public void TwoCopiesOfOneParameter(string first, string second, string message) =>
        Reports($"{message} in one group; each trains a copy of its own, and only one can run; give one other targets, or {Apart}", second, Declared(first, second));

    [Theory]
    [InlineData("PromptTuning(4, \"embed_tokens\")", "PTuning(4, \"embed_tokens\", HiddenSize = 2)", "PromptTuning and PTuning both adapt the model's inputs", "prompt")]
    [InlineData("EmbeddedPrompt(4, \"embed_tokens\")", "PromptTuning(4, \"embed_tokens\")", "EmbeddedPrompt and PromptTuning both adapt the model's inputs", "prompt")]
    [InlineData("PrefixTuning(4, \"self_attn\")", "PrefixTuning(6, \"layers.*.self_attn\")", "PrefixTuning and PrefixTuning both adapt SelfAttention.self_attn (the attention)", "prefix")]
    [InlineData("UniPELT(loraTargets: null, adapterTargets: null)", "PrefixTuning(4)", "UniPELT and PrefixTuning both adapt SelfAttention.self_attn (the attention)", "prefix")]
    [InlineData("TrainableTokens([1], \"embed_tokens\")", "LoRA(2, targets: \"q_proj\", TrainableTokens = [2])", "TrainableTokens and LoRA both adapt Model.embed_tokens", "set of trained tokens")]
    [InlineData("EmbeddedPrompt(4, \"embed_tokens\", Group = \"g\")", "PromptTuning(4, \"embed_tokens\", Group = \"g\")", "EmbeddedPrompt and PromptTuning both adapt the model's inputs", "prompt", "the group 'g'")]
    public void OneThingAtAPlace(string first, string second, string message, string thing, string group = "one group") =>
        Reports($"{message} in {group}; a group has one {thing} at a place; {Apart}", second, Declared(first, second));

    [Fact]
    public void OneMethodTwiceAtAnOutput() => Reports(
        $"LoReFT and LoReFT both adapt Block (the output) in one group; give them different targets, or {Apart}", "LoReFT(1, 0, 3, \"layers.*\")", Declared("LoReFT(2, targets: \"layers.*\")", "LoReFT(1, 0, 3, \"layers.*\")"));

    [Fact]
    public void ManyPlacesAreOneMistake() => Reports(
        $"AdaptionPrompt and AdaptionPrompt both adapt SelfAttention.k_proj and 3 more in one group; give them different targets, or {Apart}", "AdaptionPrompt(4, 1)", Declared("AdaptionPrompt(4)", "AdaptionPrompt(4, 1)"));

    [Fact]
    public void OnePlaceInTheModel()
    {
        const string Why = "in one group; a group has one invertible adapter, at one place; name one of them, or " + Apart;
        Reports($"Invertible adapts Model.embed_tokens and Model.first {Why}", "first", Declared("Invertible(targets: \"embed_tokens,first\", inverse: null)"));
        Reports($"Invertible and Invertible both adapt one of Model.embed_tokens and Model.first each {Why}", "Invertible(targets: \"first\")",
            Declared("Invertible(targets: \"embed_tokens\", inverse: null)", "Invertible(targets: \"first\")"));
    }

    /// <summary>What goes together, and what only may meet.</summary>
    [Theory]
    [InlineData("LoRA(2, targets: \"q_proj\")", "IA3(\"q_proj,k_proj\", \"\")")]
    [InlineData("PrefixTuning(4, \"self_attn\")", "PromptTuning(4, \"embed_tokens\")")]
    [InlineData("PrefixTuning(4, \"self_attn\")", "AdaptionPrompt(4)")]
    [InlineData("LoReFT(2, targets: \"layers.*\")", "NoReFT(2, targets: \"layers.*\")")]
    [InlineData("EmbeddedPrompt(4, \"embed_tokens\")", "Invertible(targets: \"embed_tokens\", inverse: null)")]
    [InlineData("LNTuning(\"norm\")", "BitFit(\"up.bias\")")]
    [InlineData("LNTuning(\"rms\")", "BitFit")]
    [InlineData("LoRA(2, targets: \"q_proj\", ModulesToSave = \"lm_head\")", "BitFit")]
    [InlineData("LoRA(2, targets: \"up\", Bias = LoRABias.LoraOnly)", "LNTuning(\"norm\")")]
    [InlineData("LoRA(2, targets: \"q_proj\", Bias = LoRABias.All, ModulesToSave = \"up\")", "IA3(\"k_proj\", \"\")")]
    [InlineData("LoRA(2, targets: \"q_proj,k_proj\", Exclude = \"k_proj\")", "LoRA(4, targets: \"k_proj\")")]
    [InlineData("LoRA(2, targets: \"q_proj\", Layers = [0])", "LoRA(4, targets: \"q_proj\", Layers = [1])")]
    [InlineData("LoRA(2, targets: \"layers.0.self_attn.q_proj\")", "LoRA(4, targets: \"layers.1.self_attn.q_proj\")")]
    [InlineData("LoRA(2, targets: \"regex:layers.0.self_attn.q_proj\")", "LoRA(4, targets: \"layers.1.self_attn.q_proj\")")]
    [InlineData("LNTuning(\"layers.0.norm\")", "BitFit(\"layers.1.norm.bias\")")]
    [InlineData("LNTuning(\"norm,rms\", Exclude = \"rms\")", "LoRA(2, targets: \"q_proj\", ModulesToSave = \"rms\")")]
    [InlineData("PrefixTuning(4, \"self_attn\", LeaveOut = [0])", "PrefixTuning(6, \"self_attn\", LeaveOut = [1])")]
    public void GoTogether(string first, string second)
    {
        var generated = Generated.From(Declared(first, second));
        Assert.DoesNotContain(generated.Reported, d => d.Severity >= DiagnosticSeverity.Warning);
        generated.AssertCompiles();
        // The same in another order.
        Assert.DoesNotContain(Generated.From(Declared(second, first)).Reported, d => d.Severity >= DiagnosticSeverity.Warning);
    }

    /// <summary>What the code shows for sure is an error, and nothing else is.</summary>
    [Theory]
    [InlineData("private readonly LayerNorm norm = LayerNorm(8, 1e-6, true, bias: true);", true)]
    [InlineData("private LayerNorm norm = LayerNorm([8]);", true)]
    [InlineData("private readonly LayerNorm norm;", true, "norm = LayerNorm(8);")]
    [InlineData("private readonly LayerNorm norm = LayerNorm(8, bias: false);", false)]
    [InlineData("private readonly LayerNorm norm = LayerNorm(8, bias: Options.Bias);", false)]
    [InlineData("private readonly LayerNorm norm = LayerNorm(8, elementwise_affine: false);", false)]
    [InlineData("private readonly LayerNorm norm = Options.Norm();", false)]
    [InlineData("private readonly LayerNorm? norm = LayerNorm(8);", false)]
    [InlineData("public LayerNorm norm = LayerNorm(8);", false)]
    [InlineData("private readonly LayerNorm norm;", false, "norm = LayerNorm(8); if (Options.Bias) norm = LayerNorm(8, bias: false);")]
    [InlineData("private readonly Module<Tensor, Tensor> norm = LayerNorm(8);", false)]
    public void WhetherALayerHasABias(string field, bool isSure, string constructor = "")
    {
        var model = Declared("LNTuning(\"norm\")", "BitFit(\"norm.bias\")").Replace("private readonly LayerNorm norm = LayerNorm(8);", field, StringComparison.Ordinal)
            .Replace("=> RegisterComponents(); // block", $"{{ {constructor} RegisterComponents(); }}", StringComparison.Ordinal);
        var generated = Generated.From(model);
        Assert.Empty(generated.Compilation.GetDiagnostics().Where(d => d.Severity == DiagnosticSeverity.Error));
        // That there is nothing to train without a bias is another matter.
        Assert.Equal(isSure ? ["PG008"] : [], generated.Reported.Where(d => d.Severity >= DiagnosticSeverity.Warning && d.Id != "PG061").Select(d => d.Id));
    }

    private static void Reports(string message, string marked, string model)
    {
        var generated = Generated.From(model);
        Assert.Equal([$"PG008 '{marked}': {message}"],
            generated.Reported.Where(d => d.Severity >= DiagnosticSeverity.Warning).Select(d => $"{d.Id} '{d.Location.SourceTree!.GetText().ToString(d.Location.SourceSpan)}': {d.GetMessage()}"));
        Assert.Empty(generated.CompilerDiagnostics());
    }

    private static string Declared(params string[] attributes) => $$"""
        public static class Options
        {
            public static bool Bias => false;
            public static LayerNorm Norm() => LayerNorm(8, bias: false);
        }

        {{string.Concat(attributes.Select(a => $"[{a}]\n"))}}
        public partial class Model : Module<Tensor, Tensor>
        {
            private readonly Embedding embed_tokens = Embedding(16, 8);
            private readonly ModuleList<Block> layers = ModuleList(new Block(), new Block());
            private readonly LayerNorm first = LayerNorm(8);
            private readonly Linear lm_head = Linear(8, 16, hasBias: false);

            public Model() : base("model") => RegisterComponents();

            public override Tensor forward(Tensor input_ids)
            {
                var x = first.forward(embed_tokens.forward(input_ids));
                foreach (var layer in layers)
                    x = layer.forward(x);
                return lm_head.forward(x);
            }
        }

        public partial class Block : Module<Tensor, Tensor>
        {
            private readonly SelfAttention self_attn = new();
            private readonly RMSNorm rms = new();
            private readonly LayerNorm norm = LayerNorm(8);
            private readonly Linear up = Linear(8, 8);

            public Block() : base("block") => RegisterComponents(); // block

            public override Tensor forward(Tensor x) => x + norm!.forward(up.forward(self_attn.forward(rms.forward(x))));
        }

        public partial class SelfAttention : Module<Tensor, Tensor>
        {
            private readonly Linear q_proj = Linear(8, 8), k_proj = Linear(8, 8, hasBias: false), v_proj = Linear(8, 8, hasBias: false), o_proj = Linear(8, 8, hasBias: false);

            public SelfAttention() : base("attention") => RegisterComponents();

            public override Tensor forward(Tensor x)
            {
                var (q, k, v) = (q_proj.forward(x).unsqueeze(1), k_proj.forward(x).unsqueeze(1), v_proj.forward(x).unsqueeze(1));
                return o_proj.forward(functional.scaled_dot_product_attention(q, k, v, is_casual: true).squeeze(1));
            }
        }

        public partial class RMSNorm : Module<Tensor, Tensor>
        {
            private readonly Parameter weight = Parameter(ones(8));

            public RMSNorm() : base("norm") => RegisterComponents();

            public override Tensor forward(Tensor x) => x * weight;
        }
        """;
}
