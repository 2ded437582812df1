using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Tests.Methods.Hosts;

/// <summary>Tokens, segments and positions, embedded and mixed over the positions that the mask shows: as little as a prompt needs.</summary>
[PromptTuning(3, ModulesToSave = "head")]
[PTuning(3, HiddenSize = 4, Group = "encoded")]
[MultitaskPromptTuning(3, tasks: 2, rank: 2, Group = "tasks")]
[EmbeddedPrompt(3, Group = "late")]
[LoReFT(2, 2, 1, "embeddings", Group = "states")]
[Invertible(targets: "embeddings", inverse: "head", Group = "coupled")]
public partial class PromptModel : nn.Module<Tensor, Tensor?, Tensor?, Tensor?, Tensor?, Tensor>
{
    public const int Vocabulary = 11, Width = 5, Outputs = 4;
    private readonly PromptEmbeddings embeddings = new();
    private readonly Linear head = nn.Linear(Width, Outputs);

    public PromptModel() : base(nameof(PromptModel))
    {
        RegisterComponents();
        Fill.Normal(this, 1);
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="attention_mask"><c>[batch, tokens]</c>; null: all are seen.</param>
    /// <param name="token_type_ids"><c>[batch, tokens]</c>; null: none.</param>
    /// <param name="position_ids"><c>[batch, tokens]</c>; null: none.</param>
    /// <param name="labels"><c>[batch, tokens]</c>: outputs whose label is −100 become zero; null: all stay.</param>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, Tensor? token_type_ids = null, Tensor? position_ids = null, Tensor? labels = null)
    {
        using var scope = NewDisposeScope();
        var y = head.forward(Mix(embeddings.forward(input_ids, token_type_ids, position_ids), attention_mask));
        return (labels is null ? y : y * labels.ne(-100).unsqueeze(-1)).MoveToOuterDisposeScope();
    }

    /// <summary>Each position with the sum of all that are seen.</summary>
    public static Tensor Mix(Tensor x, Tensor? mask) => x + (x * (mask is null ? 1 : mask.to(x.dtype).unsqueeze(-1))).tanh().sum(1, keepdim: true);
}

public partial class PromptEmbeddings : nn.Module<Tensor, Tensor?, Tensor?, Tensor>
{
    private readonly Embedding word_embeddings = nn.Embedding(PromptModel.Vocabulary, PromptModel.Width);
    private readonly Embedding token_type_embeddings = nn.Embedding(2, PromptModel.Width);
    private readonly Embedding position_embeddings = nn.Embedding(20, PromptModel.Width);

    public PromptEmbeddings() : base(nameof(PromptEmbeddings)) => RegisterComponents();

    public override Tensor forward(Tensor input_ids, Tensor? token_type_ids = null, Tensor? position_ids = null)
    {
        using var scope = NewDisposeScope();
        var x = word_embeddings.forward(input_ids);
        if (token_type_ids is not null)
            x = x + token_type_embeddings.forward(token_type_ids);
        return (position_ids is null ? x : x + position_embeddings.forward(position_ids)).tanh().MoveToOuterDisposeScope();
    }
}

/// <summary>A model that hands other ids to its embedding than it is given.</summary>
[PromptTuning(2)]
public partial class MovedIdsModel : nn.Module<Tensor, Tensor>
{
    private readonly Embedding embed_tokens = nn.Embedding(PromptModel.Vocabulary, 3);

    public MovedIdsModel() : base(nameof(MovedIdsModel)) => RegisterComponents();

    public override Tensor forward(Tensor input_ids)
    {
        using var moved = input_ids + 1;
        return embed_tokens.forward(moved);
    }
}
