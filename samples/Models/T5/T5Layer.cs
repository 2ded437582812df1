using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>A layer of a block: self attention, cross attention or feed-forward network, on normed input and added to the residual stream.</summary>
public abstract partial class T5Layer : nn.Module<Tensor, T5Streams, Tensor>
{
    protected readonly T5LayerNorm layer_norm;
    protected readonly Dropout dropout;

    protected T5Layer(T5Config config, string name) : base(name)
    {
        layer_norm = new T5LayerNorm(config.ModelSize, config.LayerNormEpsilon);
        dropout = nn.Dropout(config.Dropout);
    }
}
