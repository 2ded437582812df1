using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The sum of token and position embeddings.</summary>
public partial class CLIPTextEmbeddings : nn.Module<Tensor, Tensor>
{
    private readonly Embedding token_embedding;
    private readonly Embedding position_embedding;

    private readonly long maxPositions;

    public CLIPTextEmbeddings(CLIPTextConfig config) : base(nameof(CLIPTextEmbeddings))
    {
        maxPositions = config.MaxPositionEmbeddings;
        token_embedding = nn.Embedding(config.VocabSize, config.Encoder.HiddenSize);
        position_embedding = nn.Embedding(config.MaxPositionEmbeddings, config.Encoder.HiddenSize);
        RegisterComponents();
    }

    /// <param name="input_ids"><c>[texts, tokens]</c>.</param>
    /// <returns><c>[texts, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor input_ids)
    {
        var tokens = input_ids.shape[1];
        if (tokens > maxPositions)
            throw new ArgumentException($"there are {tokens} tokens, expected at most {maxPositions}: CLIP has no embeddings for positions after that. Shorten the texts.", nameof(input_ids));

        using var scope = NewDisposeScope();
        var positions = arange(tokens, ScalarType.Int64, input_ids.device).unsqueeze(0);
        return (token_embedding.forward(input_ids) + position_embedding.forward(positions)).MoveToOuterDisposeScope();
    }
}
