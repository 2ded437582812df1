using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention among the tokens themselves.</summary>
public partial class T5LayerSelfAttention : T5Layer
{
    private readonly T5Attention SelfAttention;

    public T5LayerSelfAttention(T5Config config, bool isDecoder, int layerIndex) : base(config, nameof(T5LayerSelfAttention))
    {
        SelfAttention = new T5Attention(config, isDecoder, isCross: false, layerIndex);
        RegisterComponents();
    }

    /// <inheritdoc cref="T5Attention.forward"/>
    public override Tensor forward(Tensor hidden_states, T5Streams streams)
    {
        using var scope = NewDisposeScope();
        return (hidden_states + dropout.forward(SelfAttention.forward(layer_norm.forward(hidden_states), streams))).MoveToOuterDisposeScope();
    }
}
