using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods.Hosts;

/// <summary>
/// A small decoder with sites of every kind, that every method adapts in a group of its own and with its head trained along. Each result is disposed at its last use, so that a slot which hands out what is not its
/// caller's is found out.
/// </summary>
[LoRA(2, targets: "q_proj", ModulesToSave = "head", Group = "LoRA")]
[MTLLoRA(2, 2, targets: "q_proj", ModulesToSave = "head", Group = "MTLLoRA")]
[IA3("k_proj,down_proj", "down_proj", ModulesToSave = "head", Group = "IA3")]
[LNTuning(ModulesToSave = "head", Group = "LNTuning")]
[BitFit(ModulesToSave = "head", Group = "BitFit")]
[TrainableTokens([1, 2], ModulesToSave = "head", Group = "TrainableTokens")]
[Bottleneck(2, "mlp", ModulesToSave = "head", Group = "Bottleneck")]
[Houlsby(2, "self_attn,mlp", ModulesToSave = "head", Group = "Houlsby")]
[ParallelAdapter(2, "mlp", ModulesToSave = "head", Group = "ParallelAdapter")]
[AdapterPlus(2, "mlp", ModulesToSave = "head", Group = "AdapterPlus")]
[Compacter(2, "self_attn,mlp", PhmDim = 2, ModulesToSave = "head", Group = "Compacter")]
[CompacterPlusPlus(2, "mlp", PhmDim = 2, ModulesToSave = "head", Group = "CompacterPlusPlus")]
[PrefixTuning(2, "self_attn", ModulesToSave = "head", Group = "PrefixTuning")]
[AdaptionPrompt(2, targets: "self_attn", ModulesToSave = "head", Group = "AdaptionPrompt")]
[UniPELT(2, 2, 2, "q_proj", "self_attn", "mlp", Projection = 3, Pooling = GatePooling.All, ModulesToSave = "head", Group = "UniPELT")]
[MAM(2, 2, "self_attn", "mlp", Projection = 3, ModulesToSave = "head", Group = "MAM")]
[PromptTuning(2, ModulesToSave = "head", Group = "PromptTuning")]
[PTuning(2, HiddenSize = 3, ModulesToSave = "head", Group = "PTuning")]
[MultitaskPromptTuning(2, 2, ModulesToSave = "head", Group = "MultitaskPromptTuning")]
[EmbeddedPrompt(2, ModulesToSave = "head", Group = "EmbeddedPrompt")]
[LoReFT(2, ModulesToSave = "head", Group = "LoReFT")]
[NoReFT(2, ModulesToSave = "head", Group = "NoReFT")]
[DiReFT(2, ModulesToSave = "head", Group = "DiReFT")]
[Invertible(2, "embeddings", null, ModulesToSave = "head", Group = "Invertible")]
public partial class EveryMethodModel : nn.Module<Tensor, Tensor>
{
    public const int Vocabulary = 11, Width = 8;
    private readonly EveryMethodEmbeddings embeddings = new();
    private readonly ModuleList<EveryMethodBlock> layers = nn.ModuleList(new EveryMethodBlock(), new EveryMethodBlock());
    private readonly EveryMethodHead head = new();

    public EveryMethodModel() : base(nameof(EveryMethodModel))
    {
        RegisterComponents();
        Fill.Normal(this, 1, 0.5);
    }

    public override Tensor forward(Tensor input_ids)
    {
        var x = embeddings.forward(input_ids);
        foreach (var layer in layers)
        {
            using var before = x;
            x = layer.forward(before);
        }

        using (x)
            return head.forward(x);
    }
}

public partial class EveryMethodEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Embedding embed_tokens = nn.Embedding(EveryMethodModel.Vocabulary, EveryMethodModel.Width);

    public EveryMethodEmbeddings() : base(nameof(EveryMethodEmbeddings)) => RegisterComponents();

    public override Tensor forward(Tensor input_ids) => embed_tokens.forward(input_ids);
}

public partial class EveryMethodBlock : nn.Module<Tensor, Tensor>
{
    private readonly LayerNorm input_layernorm = nn.LayerNorm(EveryMethodModel.Width), post_attention_layernorm = nn.LayerNorm(EveryMethodModel.Width);
    private readonly EveryMethodAttention self_attn = new();
    private readonly EveryMethodMlp mlp = new();

    public EveryMethodBlock() : base(nameof(EveryMethodBlock)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var normed = input_layernorm.forward(x);
        using var attended = self_attn.forward(normed);
        using var h = x + attended;
        using var normedAgain = post_attention_layernorm.forward(h);
        using var inner = mlp.forward(normedAgain);
        return h + inner;
    }
}

public partial class EveryMethodAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear q_proj = New(), k_proj = New(), v_proj = New(), o_proj = New();

    public EveryMethodAttention() : base(nameof(EveryMethodAttention)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var query = q_proj.forward(x);
        using var key = k_proj.forward(x);
        using var value = v_proj.forward(x);
        using var q = Heads(query);
        using var k = Heads(key);
        using var v = Heads(value);
        using var seen = nn.functional.scaled_dot_product_attention(q, k, v, is_casual: true);
        using var turned = seen.transpose(1, 2);
        using var flat = turned.flatten(2);
        return o_proj.forward(flat);
    }

    private static Linear New() => nn.Linear(EveryMethodModel.Width, EveryMethodModel.Width);

    private static Tensor Heads(Tensor x)
    {
        using var split = x.view(x.shape[0], x.shape[1], 2, EveryMethodModel.Width / 2);
        return split.transpose(1, 2);
    }
}

public partial class EveryMethodMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear up_proj = nn.Linear(EveryMethodModel.Width, 12), down_proj = nn.Linear(12, EveryMethodModel.Width);

    public EveryMethodMlp() : base(nameof(EveryMethodMlp)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var up = up_proj.forward(x);
        using var open = up.tanh();
        return down_proj.forward(open);
    }
}

/// <summary>A head with a norm, biases and a parameter that its own code reads: what other targets mean, too.</summary>
public partial class EveryMethodHead : nn.Module<Tensor, Tensor>
{
    public const long Numbers = (2 * EveryMethodModel.Width) + ((EveryMethodModel.Width + 1) * 3) + 3;
    private readonly LayerNorm norm = nn.LayerNorm(EveryMethodModel.Width);
    private readonly Linear dense = nn.Linear(EveryMethodModel.Width, 3);
    private readonly Parameter scale = nn.Parameter(ones(3));

    public EveryMethodHead() : base(nameof(EveryMethodHead)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var normed = norm.forward(x);
        using var logits = dense.forward(normed);
        return logits * scale;
    }
}
