using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The sum of word, position and segment embeddings, normed.</summary>
public partial class BertEmbeddings : nn.Module<Tensor, Tensor?, Tensor>
{
    internal readonly Embedding word_embeddings;
    private readonly Embedding position_embeddings;
    private readonly Embedding token_type_embeddings;
    private readonly LayerNorm LayerNorm;
    private readonly Dropout dropout;

    public BertEmbeddings(BertConfig config) : base(nameof(BertEmbeddings))
    {
        word_embeddings = nn.Embedding(config.VocabSize, config.HiddenSize);
        position_embeddings = nn.Embedding(config.MaxPositionEmbeddings, config.HiddenSize);
        token_type_embeddings = nn.Embedding(config.TypeVocabSize, config.HiddenSize);
        LayerNorm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        dropout = nn.Dropout(config.HiddenDropout);
        RegisterComponents();
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="token_type_ids">The segment of each token, <c>[batch, tokens]</c>; null: all are in the first.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? token_type_ids = null)
    {
        using var scope = NewDisposeScope();
        var positions = arange(input_ids.shape[1], ScalarType.Int64, input_ids.device).unsqueeze(0);
        var segments = token_type_ids ?? zeros_like(input_ids);
        var embeddings = word_embeddings.forward(input_ids) + token_type_embeddings.forward(segments) + position_embeddings.forward(Attention.Positions(positions));
        return dropout.forward(LayerNorm.forward(embeddings)).MoveToOuterDisposeScope();
    }
}
