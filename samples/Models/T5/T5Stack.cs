using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The encoder or the decoder, from embedded tokens on.</summary>
public partial class T5Stack : nn.Module<Tensor, T5Streams, Tensor>
{
    private readonly Dropout drop;
    private readonly ModuleList<T5Block> block;
    private readonly T5LayerNorm final_layer_norm;
    private readonly double dropout;

    public T5Stack(T5Config config, bool isDecoder) : base(nameof(T5Stack))
    {
        var layers = (int)(isDecoder ? config.DecoderLayers : config.EncoderLayers);
        drop = nn.Dropout(config.Dropout);
        block = new ModuleList<T5Block>([.. Enumerable.Range(0, layers).Select(i => new T5Block(config, isDecoder, i))]);
        final_layer_norm = new T5LayerNorm(config.ModelSize, config.LayerNormEpsilon);
        dropout = config.Dropout;
        RegisterComponents();
    }

    /// <inheritdoc cref="T5Attention.forward"/>
    public override Tensor forward(Tensor hidden_states, T5Streams streams)
    {
        using var scope = NewDisposeScope();
        hidden_states = drop.forward(hidden_states);
        foreach (var part in block)
            hidden_states = part.forward(hidden_states, streams);
        return nn.functional.dropout(final_layer_norm.forward(hidden_states), dropout, training).MoveToOuterDisposeScope();
    }
}
