using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>BERT without a head: hidden states and the pooled first token (https://arxiv.org/abs/1810.04805).</summary>
public partial class BertModel : nn.Module<Tensor, Tensor?, Tensor?, (Tensor last_hidden_state, Tensor pooler_output)>
{
    internal readonly BertEmbeddings embeddings;
    private readonly BertEncoder encoder;
    private readonly BertPooler? pooler;

    /// <param name="config">The sizes.</param>
    /// <param name="pools">Whether there is a pooler: heads over each token have none.</param>
    public BertModel(BertConfig config, bool pools = true) : base(nameof(BertModel))
    {
        embeddings = new BertEmbeddings(config);
        encoder = new BertEncoder(config);
        pooler = pools ? new BertPooler(config) : null;
        RegisterComponents();
    }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors, of a BERT, whose head is left out.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <exception cref="CheckpointException">The folder holds no BERT, or its weights do not fit its configuration.</exception>
    public static BertModel FromPretrained(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var bert = new BertModel(BertConfig.FromJson(files.Config)).to(dtype);
        files.Load(bert);
        bert.eval();
        return bert;
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[batch, tokens]</c>; null: all are real.</param>
    /// <param name="token_type_ids">The segment of each token, <c>[batch, tokens]</c>; null: all are in the first.</param>
    /// <returns>Hidden states <c>[batch, tokens, hidden]</c>, and the pooled first token <c>[batch, hidden]</c>.</returns>
    /// <exception cref="InvalidOperationException">The model has no pooler.</exception>
    public override (Tensor last_hidden_state, Tensor pooler_output) forward(Tensor input_ids, Tensor? attention_mask = null, Tensor? token_type_ids = null)
    {
        if (pooler is null)
            throw new InvalidOperationException("This BERT has no pooler: it was made for a head over each token. Call encode.");
        using var scope = NewDisposeScope();
        var hidden_states = encode(input_ids, attention_mask, token_type_ids);
        return scope.MoveToOuter(hidden_states, pooler.forward(hidden_states));
    }

    /// <summary>The hidden states alone.</summary>
    /// <inheritdoc cref="forward" path="/param"/>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public Tensor encode(Tensor input_ids, Tensor? attention_mask = null, Tensor? token_type_ids = null)
    {
        using var scope = NewDisposeScope();
        var hidden_states = embeddings.forward(input_ids, token_type_ids);
        var mask = attention_mask is null ? null : HidePadding(attention_mask, hidden_states.dtype);
        return encoder.forward(hidden_states, mask).MoveToOuterDisposeScope();
    }

    /// <summary>0 at real tokens and the lowest number at padding, to add to attention's scores: <c>[batch, 1, 1, tokens]</c>.</summary>
    private static Tensor HidePadding(Tensor attention_mask, ScalarType dtype) =>
        (1 - attention_mask.to(dtype)).unsqueeze(1).unsqueeze(1) * finfo(dtype).min;
}

/// <summary>A dense layer over the first token.</summary>
public partial class BertPooler : nn.Module<Tensor, Tensor>
{
    private readonly FastLinear dense;

    public BertPooler(BertConfig config) : base(nameof(BertPooler))
    {
        dense = new FastLinear(config.HiddenSize, config.HiddenSize);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <returns><c>[batch, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states)
    {
        using var first = hidden_states.select(1, 0);
        using var pooled = dense.forward(first);
        return pooled.tanh();
    }
}
