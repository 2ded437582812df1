using TorchSharp;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>A layer of a block: self attention, cross attention or feed-forward network, on normed input and added to the residual stream.</summary>
public abstract partial class T5Layer : nn.Module<Tensor, T5Streams, Tensor>
{
    protected readonly T5LayerNorm layer_norm;
    private readonly double dropout;

    protected T5Layer(T5Config config, string name) : base(name)
    {
        layer_norm = new T5LayerNorm(config.ModelSize, config.LayerNormEpsilon);
        dropout = config.Dropout;
    }

    protected Tensor Added(Tensor hidden_states, Tensor change)
    {
        using var dropped = nn.functional.dropout(change, dropout, training);
        return hidden_states + dropped;
    }
}
