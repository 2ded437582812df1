using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The text tower: a causal encoder, and of its outputs the one at the end of each text.</summary>
public partial class CLIPTextModel : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly CLIPTextEmbeddings embeddings;
    private readonly CLIPEncoder encoder;
    private readonly LayerNorm final_layer_norm;

    private readonly long endOfText;

    public CLIPTextModel(CLIPTextConfig config) : base(nameof(CLIPTextModel))
    {
        endOfText = config.EosTokenId;
        embeddings = new CLIPTextEmbeddings(config);
        encoder = new CLIPEncoder(config.Encoder);
        final_layer_norm = nn.LayerNorm(config.Encoder.HiddenSize, config.Encoder.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="input_ids"><c>[texts, tokens]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[texts, tokens]</c>; null: all are real.</param>
    /// <returns>What stands for each text, <c>[texts, hidden]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null)
    {
        using var scope = NewDisposeScope();
        var hidden_states = embeddings.forward(input_ids);
        hidden_states = encoder.forward(hidden_states, AttendedTo(input_ids, attention_mask, hidden_states.dtype));
        hidden_states = final_layer_norm.forward(hidden_states);
        var texts = arange(input_ids.shape[0], ScalarType.Int64, input_ids.device);
        return hidden_states[TensorIndex.Tensor(texts), TensorIndex.Tensor(Ends(input_ids))].MoveToOuterDisposeScope();
    }

    /// <summary>Where each text ends, <c>[texts]</c>: at the first token of that meaning, since padding may be the same token.</summary>
    /// <remarks>
    /// Configurations of OpenAI's models say 2, which is wrong: there the end is the highest token of the vocabulary, and
    /// transformers takes the highest of each text.
    /// </remarks>
    private Tensor Ends(Tensor input_ids) => endOfText == 2 ? input_ids.argmax(1) : input_ids.eq(endOfText).to(ScalarType.Int64).argmax(1);

    /// <summary>0 where a token sees another one and the lowest number where not, <c>[texts or 1, 1, tokens, tokens]</c>.</summary>
    private static Tensor AttendedTo(Tensor input_ids, Tensor? attention_mask, ScalarType dtype)
    {
        var tokens = input_ids.shape[1];
        var visible = ones([1, 1, tokens, tokens], ScalarType.Bool, input_ids.device).tril();
        if (attention_mask is not null) visible = visible & attention_mask.to(ScalarType.Bool).unsqueeze(1).unsqueeze(1);
        // Not −∞: a row of padding that sees nothing would become NaN.
        return zeros(visible.shape, dtype, input_ids.device).masked_fill_(visible.logical_not(), finfo(dtype).min);
    }
}
