using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The decoder without its head.</summary>
public partial class GPT2Model : nn.Module<Tensor, Tensor?, Tensor?, KeyValueCache?, Tensor>
{
    internal readonly Embedding wte;
    private readonly Embedding wpe;
    private readonly Dropout drop;
    private readonly ModuleList<GPT2Block> h;
    private readonly LayerNorm ln_f;
    private readonly long maxPositions;

    public GPT2Model(GPT2Config config) : base(nameof(GPT2Model))
    {
        wte = nn.Embedding(config.VocabSize, config.HiddenSize);
        wpe = nn.Embedding(config.Positions, config.HiddenSize);
        drop = nn.Dropout(config.EmbeddingDropout);
        h = new ModuleList<GPT2Block>([.. Enumerable.Range(0, (int)config.Layers).Select(i => new GPT2Block(config, i))]);
        ln_f = nn.LayerNorm(config.HiddenSize, config.LayerNormEpsilon);
        maxPositions = config.Positions;
        RegisterComponents();
    }

    /// <inheritdoc cref="GPT2LMHeadModel.forward" path="/param"/>
    /// <returns>Hidden states <c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, Tensor? position_ids = null, KeyValueCache? cache = null)
    {
        using var scope = NewDisposeScope();
        var past = cache?.Length ?? 0;
        var keys = past + input_ids.shape[1];
        if (attention_mask is not null && attention_mask.shape[1] != keys)
            throw new ArgumentException($"attention_mask has {attention_mask.shape[1]} columns, expected {keys}: one for each of the {past} tokens in the cache and the {keys - past} new ones.", nameof(attention_mask));
        if (keys > maxPositions)
            throw new ArgumentException($"there are {keys} tokens, expected at most {maxPositions}: GPT-2 has no embeddings for positions after that. Shorten the input.", nameof(input_ids));

        var positions = position_ids ?? Positions(input_ids, attention_mask, past);
        var hidden_states = drop.forward(wte.forward(input_ids) + wpe.forward(Attention.Positions(positions)));
        var mask = AttendedTo(input_ids, attention_mask, past, hidden_states.dtype);
        foreach (var block in h)
        {
            using var input = hidden_states;
            hidden_states = block.forward(input, mask, cache);
        }
        return ln_f.forward(hidden_states).MoveToOuterDisposeScope();
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
