using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention with its output projection, added to its input and normed.</summary>
public partial class BertAttention : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly BertSelfAttention self;
    private readonly BertSelfOutput output;

    public BertAttention(BertConfig config) : base(nameof(BertAttention))
    {
        self = new BertSelfAttention(config);
        output = new BertSelfOutput(config);
        RegisterComponents();
    }

    /// <inheritdoc cref="BertSelfAttention.forward"/>
    public override Tensor forward(Tensor hidden_states, Tensor? attention_mask = null)
    {
        using var context = self.forward(hidden_states, attention_mask);
        return output.forward(context, hidden_states);
    }
}

/// <summary>The output projection of attention.</summary>
public partial class BertSelfOutput : nn.Module<Tensor, Tensor, Tensor>
{
    private readonly FastLinear dense;
    private readonly LayerNorm LayerNorm;
    private readonly Dropout dropout;

    public BertSelfOutput(BertConfig config) : base(nameof(BertSelfOutput))
    {
        dense = new FastLinear(config.HiddenSize, config.HiddenSize);
        LayerNorm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        dropout = nn.Dropout(config.HiddenDropout);
        RegisterComponents();
    }

    /// <param name="hidden_states">What attention gathered, <c>[batch, tokens, hidden]</c>.</param>
    /// <param name="input_tensor">The residual: attention's input, of the same shape.</param>
    public override Tensor forward(Tensor hidden_states, Tensor input_tensor)
    {
        using var scope = NewDisposeScope();
        hidden_states = dense.forward(hidden_states);
        hidden_states = dropout.forward(hidden_states);
        return LayerNorm.forward(hidden_states + input_tensor).MoveToOuterDisposeScope();
    }
}
