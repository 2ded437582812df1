using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention and feed-forward network.</summary>
[GradientCheckpointing]
public partial class BertLayer : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly BertAttention attention;
    private readonly BertIntermediate intermediate;
    private readonly BertOutput output;

    public BertLayer(BertConfig config) : base(nameof(BertLayer))
    {
        attention = new BertAttention(config);
        intermediate = new BertIntermediate(config);
        output = new BertOutput(config);
        RegisterComponents();
    }

    /// <inheritdoc cref="BertSelfAttention.forward"/>
    public override Tensor forward(Tensor hidden_states, Tensor? attention_mask = null)
    {
        using var attended = attention.forward(hidden_states, attention_mask);
        using var inner = intermediate.forward(attended);
        return output.forward(inner, attended);
    }
}

/// <summary>The first half of the feed-forward network.</summary>
public partial class BertIntermediate : nn.Module<Tensor, Tensor>
{
    private readonly FastLinear dense;

    public BertIntermediate(BertConfig config) : base(nameof(BertIntermediate))
    {
        dense = new FastLinear(config.HiddenSize, config.IntermediateSize);
        RegisterComponents();
    }

    public override Tensor forward(Tensor hidden_states)
    {
        using var inner = dense.forward(hidden_states);
        return nn.functional.gelu(inner);
    }
}

/// <summary>The second half of the feed-forward network, added to the first one's input and normed.</summary>
public partial class BertOutput : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly FastLinear dense;
    private readonly LayerNorm LayerNorm;
    private readonly Dropout dropout;

    public BertOutput(BertConfig config) : base(nameof(BertOutput))
    {
        dense = new FastLinear(config.IntermediateSize, config.HiddenSize);
        LayerNorm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        dropout = nn.Dropout(config.HiddenDropout);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, intermediate]</c>.</param>
    /// <param name="input_tensor">The residual, <c>[batch, tokens, hidden]</c>.</param>
    public override Tensor forward(Tensor hidden_states, Tensor input_tensor)
    {
        using var scope = NewDisposeScope();
        hidden_states = dense.forward(hidden_states);
        hidden_states = dropout.forward(hidden_states);
        return LayerNorm.forward(hidden_states + input_tensor).MoveToOuterDisposeScope();
    }
}
