using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The feed-forward network.</summary>
public partial class T5LayerFF : T5Layer
{
    private readonly T5DenseReluDense DenseReluDense;

    public T5LayerFF(T5Config config) : base(config, nameof(T5LayerFF))
    {
        DenseReluDense = new T5DenseReluDense(config);
        RegisterComponents();
    }

    /// <inheritdoc cref="T5Attention.forward"/>
    public override Tensor forward(Tensor hidden_states, T5Streams streams)
    {
        using var scope = NewDisposeScope();
        return (hidden_states + dropout.forward(DenseReluDense.forward(layer_norm.forward(hidden_states)))).MoveToOuterDisposeScope();
    }
}
