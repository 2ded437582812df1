using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The decoder without its head.</summary>
public partial class LlamaModel : nn.Module<Tensor, Tensor?, KeyValueCache?, Tensor>
{
    internal readonly Embedding embed_tokens;
    private readonly ModuleList<LlamaDecoderLayer> layers;
    private readonly LlamaRMSNorm norm;

    private readonly RotaryEmbedding rotary;

    public LlamaModel(LlamaConfig config) : base(nameof(LlamaModel))
    {
        embed_tokens = nn.Embedding(config.VocabSize, config.HiddenSize);
        layers = new ModuleList<LlamaDecoderLayer>([.. Enumerable.Range(0, (int)config.NumHiddenLayers).Select(i => new LlamaDecoderLayer(config, i))]);
        norm = new LlamaRMSNorm(config.HiddenSize, config.RmsNormEps);
        rotary = new RotaryEmbedding(config);
        RegisterComponents();
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[batch, tokens before + tokens]</c>; null: all are real.</param>
    /// <param name="cache">The tokens before, to which these are added; null: there are none.</param>
    /// <returns>Hidden states <c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, KeyValueCache? cache = null)
    {
        using var scope = NewDisposeScope();
        var past = cache?.Length ?? 0;
        var keys = past + input_ids.shape[1];
        if (attention_mask is not null && attention_mask.shape[1] != keys)
            throw new ArgumentException($"attention_mask has {attention_mask.shape[1]} columns, expected {keys}: one for each of the {past} tokens in the cache and the {keys - past} new ones.", nameof(attention_mask));

        var hidden_states = embed_tokens.forward(input_ids);
        var (cos, sin) = rotary.At(Attention.Positions(Positions(input_ids, attention_mask, past)), hidden_states.dtype);
        var mask = AttendedTo(input_ids, attention_mask, past, hidden_states.dtype);
        foreach (var layer in layers)
        {
            using var input = hidden_states;
            hidden_states = layer.forward(input, cos, sin, mask, cache);
        }
        return norm.forward(hidden_states).MoveToOuterDisposeScope();
    }

    /// <summary>Counts from each row's first real token, so that padding on the left changes nothing: <c>[batch or 1, tokens]</c>.</summary>
    private static Tensor Positions(Tensor input_ids, Tensor? attention_mask, long past)
    {
        var positions = arange(past, past + input_ids.shape[1], ScalarType.Int64, input_ids.device).unsqueeze(0);
        if (attention_mask is null) return positions;
        var padding = attention_mask.to(ScalarType.Int64).argmax(1, keepdim: true);   // the first of several largest
        return (positions - padding).clamp_min(0);
    }

    /// <summary>0 where a token sees another one and the lowest number where not, <c>[batch or 1, 1, tokens, keys]</c>; null where all see all.</summary>
    private static Tensor? AttendedTo(Tensor input_ids, Tensor? attention_mask, long past, ScalarType dtype)
    {
        var tokens = input_ids.shape[1];
        if (attention_mask is null && tokens == 1) return null;
        var visible = ones([1, 1, tokens, past + tokens], ScalarType.Bool, input_ids.device).tril(past);
        if (attention_mask is not null) visible = visible & attention_mask.to(ScalarType.Bool).unsqueeze(1).unsqueeze(1);
        // Not −∞: a row of padding that sees nothing would become NaN.
        return zeros(visible.shape, dtype, input_ids.device).masked_fill_(visible.logical_not(), finfo(dtype).min);
    }
}
