using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention to the encoder's output.</summary>
public partial class T5LayerCrossAttention : T5Layer
{
    private readonly T5Attention EncDecAttention;

    public T5LayerCrossAttention(T5Config config, int layerIndex) : base(config, nameof(T5LayerCrossAttention))
    {
        EncDecAttention = new T5Attention(config, isDecoder: true, isCross: true, layerIndex);
        RegisterComponents();
    }

    /// <inheritdoc cref="T5Attention.forward"/>
    public override Tensor forward(Tensor hidden_states, T5Streams streams)
    {
        using var scope = NewDisposeScope();
        return (hidden_states + dropout.forward(EncDecAttention.forward(layer_norm.forward(hidden_states), streams))).MoveToOuterDisposeScope();
    }
}
