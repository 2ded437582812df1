using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Self attention, in the decoder cross attention, and the feed-forward network.</summary>
public partial class T5Block : nn.Module<Tensor, T5Streams, Tensor>
{
    private readonly ModuleList<T5Layer> layer;

    public T5Block(T5Config config, bool isDecoder, int layerIndex) : base(nameof(T5Block))
    {
        T5Layer[] cross = isDecoder ? [new T5LayerCrossAttention(config, layerIndex)] : [];
        layer = new ModuleList<T5Layer>([new T5LayerSelfAttention(config, isDecoder, layerIndex), .. cross, new T5LayerFF(config)]);
        RegisterComponents();
    }

    /// <inheritdoc cref="T5Attention.forward"/>
    public override Tensor forward(Tensor hidden_states, T5Streams streams)
    {
        using var scope = NewDisposeScope();
        foreach (var part in layer)
            hidden_states = part.forward(hidden_states, streams);
        return hidden_states.MoveToOuterDisposeScope();
    }
}
