using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Compiled;

/// <summary>A small decoder in the words of Llama, with biases, on which the compiled code is proven.</summary>
[LoRA(4, 6, "q_proj,v_proj,up_proj", Dropout = 0.1)]
[LoRA(2, 4, "q_proj,o_proj", Bias = LoRABias.All, Group = "biased")]
[LoRA(2, 4, "lm_head", Group = "head")]
[IA3(Group = "ia3")]
[LNTuning(Group = "ln")]
public partial class ProofModel : nn.Module<Tensor, Tensor>
{
    public const int Vocabulary = 17, Width = 8, Inner = 12, Blocks = 2;
    private readonly Embedding embed_tokens = nn.Embedding(Vocabulary, Width);
    private readonly ModuleList<ProofBlock> layers = nn.ModuleList(Enumerable.Range(0, Blocks).Select(_ => new ProofBlock()).ToArray());
    private readonly ProofNorm norm = new();
    private readonly Linear lm_head = nn.Linear(Width, Vocabulary, hasBias: false);

    public ProofModel(ulong seed = 1, bool tied = false) : base(nameof(ProofModel))
    {
        if (tied)
            lm_head.weight = embed_tokens.weight!;
        RegisterComponents();
        using var generator = new Generator(seed);
        using var quiet = no_grad();
        foreach (var parameter in parameters())
            parameter.normal_(0, 0.4, generator);
    }

    public override Tensor forward(Tensor tokens)
    {
        using var scope = NewDisposeScope();
        var hidden = embed_tokens.forward(tokens);
        foreach (var layer in layers)
            hidden = layer.forward(hidden);
        return lm_head.forward(norm.forward(hidden)).MoveToOuterDisposeScope();
    }
}

public partial class ProofBlock : nn.Module<Tensor, Tensor>
{
    private readonly ProofNorm input_layernorm = new();
    private readonly ProofAttention self_attn = new();
    private readonly ProofNorm post_attention_layernorm = new();
    private readonly ProofMlp mlp = new();

    public ProofBlock() : base(nameof(ProofBlock)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        x = x + self_attn.forward(input_layernorm.forward(x));
        return (x + mlp.forward(post_attention_layernorm.forward(x))).MoveToOuterDisposeScope();
    }
}

public partial class ProofAttention : nn.Module<Tensor, Tensor>
{
    private readonly Linear q_proj = nn.Linear(ProofModel.Width, ProofModel.Width);
    private readonly Linear k_proj = nn.Linear(ProofModel.Width, ProofModel.Width);
    private readonly Linear v_proj = nn.Linear(ProofModel.Width, ProofModel.Width);
    private readonly Linear o_proj = nn.Linear(ProofModel.Width, ProofModel.Width, hasBias: false);

    public ProofAttention() : base(nameof(ProofAttention)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var (q, k, v) = (q_proj.forward(x), k_proj.forward(x), v_proj.forward(x));
        var weights = nn.functional.softmax(q.matmul(k.transpose(-1, -2)) / Math.Sqrt(ProofModel.Width), -1);
        return o_proj.forward(weights.matmul(v)).MoveToOuterDisposeScope();
    }
}

public partial class ProofMlp : nn.Module<Tensor, Tensor>
{
    private readonly Linear up_proj = nn.Linear(ProofModel.Width, ProofModel.Inner);
    private readonly Linear down_proj = nn.Linear(ProofModel.Inner, ProofModel.Width);

    public ProofMlp() : base(nameof(ProofMlp)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var up = up_proj.forward(x);
        using var inner = nn.functional.silu(up);
        return down_proj.forward(inner);
    }
}

public partial class ProofNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight = new(ones(ProofModel.Width));

    public ProofNorm() : base(nameof(ProofNorm)) => RegisterComponents();

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var variance = x.pow(2).mean([-1], keepdim: true);
        return (x * rsqrt(variance + 1e-5) * weight).MoveToOuterDisposeScope();
    }
}
