using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>Attention without a scale: T5's start makes up for it. Of self attention, the first layer has the biases of the distances.</summary>
public partial class T5Attention : nn.Module<Tensor, T5Streams, Tensor>
{
    private readonly Linear q;
    private readonly Linear k;
    private readonly Linear v;
    private readonly Linear o;
    private readonly Embedding? relative_attention_bias;

    private readonly T5Config config;
    private readonly bool isCross;
    private readonly bool isDecoder;
    private readonly int layerIndex;

    public T5Attention(T5Config config, bool isDecoder, bool isCross, int layerIndex) : base(nameof(T5Attention))
    {
        var width = config.Heads * config.HeadSize;
        (this.config, this.isDecoder, this.isCross, this.layerIndex) = (config, isDecoder, isCross, layerIndex);
        q = nn.Linear(config.ModelSize, width, hasBias: false);
        k = nn.Linear(config.ModelSize, width, hasBias: false);
        v = nn.Linear(config.ModelSize, width, hasBias: false);
        o = nn.Linear(width, config.ModelSize, hasBias: false);
        if (!isCross && layerIndex == 0) relative_attention_bias = nn.Embedding(config.Buckets, config.Heads);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, d_model]</c>.</param>
    /// <param name="streams">What the layers share.</param>
    /// <returns><c>[batch, tokens, d_model]</c>.</returns>
    public override Tensor forward(Tensor hidden_states, T5Streams streams)
    {
        using var scope = NewDisposeScope();
        var queries = SplitHeads(q.forward(hidden_states));
        Tensor keys, values;
        if (isCross && streams.Cache?.Encoded.Has(layerIndex) == true)
        {
            (keys, values) = streams.Cache.Encoded.Of(layerIndex);
        }
        else
        {
            var seen = isCross ? streams.Encoded! : hidden_states;
            (keys, values) = (SplitHeads(k.forward(seen)), SplitHeads(v.forward(seen)));
            if (streams.Cache is not null) (keys, values) = (isCross ? streams.Cache.Encoded : streams.Cache.Decoded).Update(layerIndex, keys, values);
        }

        var own = keys.shape[2];
        (keys, values, var mask) = Attention.Attach(hidden_states, queries, keys, values, isCross ? streams.EncodedMask : streams.Mask);
        if (relative_attention_bias is not null)
            streams.Biases = (at, count) => relative_attention_bias!.forward(RelativePositions.Buckets(config, isDecoder, at, count)).permute(2, 0, 1).unsqueeze(0);
        if (!isCross)
        {
            // The queries are the last keys, whatever was attached in front.
            var at = Attention.Positions(arange(keys.shape[2] - queries.shape[2], keys.shape[2], ScalarType.Int64, keys.device), keys.shape[2] - own);
            mask = streams.Biased(mask!, at, keys.shape[2]);
        }

        var scores = queries.matmul(keys.transpose(2, 3));
        if (mask is not null) scores = scores + mask;
        var weights = nn.functional.softmax(scores.to(ScalarType.Float32), -1).to(scores.dtype);
        var context = nn.functional.dropout(weights, config.Dropout, training).matmul(values);
        return o.forward(context.transpose(1, 2).flatten(2)).MoveToOuterDisposeScope();
    }

    /// <summary><c>[batch, tokens, heads · size]</c> → <c>[batch, heads, tokens, size]</c>.</summary>
    private Tensor SplitHeads(Tensor x) => x.view(x.shape[0], x.shape[1], config.Heads, config.HeadSize).transpose(1, 2);
}
