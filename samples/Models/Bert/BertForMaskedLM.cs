using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>BERT that fills in masked tokens.</summary>
public partial class BertForMaskedLM : nn.Module<Tensor, Tensor?, Tensor?, Tensor>
{
    // The embedding stands first: .to() then moves it before the head that may share its weight, which keeps them one.
    private readonly BertModel bert;
    private readonly BertOnlyMLMHead cls;

    public BertForMaskedLM(BertConfig config) : base(nameof(BertForMaskedLM))
    {
        bert = new BertModel(config, pools: false);
        cls = new BertOnlyMLMHead(config, config.TieWordEmbeddings ? bert.embeddings.word_embeddings.weight : null);
        RegisterComponents();
    }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors, of a BERT with a head over tokens.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <exception cref="CheckpointException">The folder holds no such model, or its weights do not fit its configuration.</exception>
    public static BertForMaskedLM FromPretrained(string folder, ScalarType dtype = ScalarType.Float32)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var model = new BertForMaskedLM(BertConfig.FromJson(files.Config)).to(dtype);
        // Published files hold what pretraining needed besides, the numbers 0, 1, 2, …, and the tied weights twice.
        string[] besides = ["bert.embeddings.position_ids", "bert.pooler.", "cls.seq_relationship.", "cls.predictions.decoder."];
        files.Load(model, NameInFile, mayBeSurplus: files.Names.Where(name => besides.Any(b => name.StartsWith(b, StringComparison.Ordinal))).ToHashSet());
        model.eval();
        return model;
    }

    /// <summary>What a parameter is called in files, for <see cref="HuggingFaceFolder.Save"/> too.</summary>
    /// <param name="name">Its name in the model.</param>
    public static string NameInFile(string name) => name == "cls.predictions.decoder.bias" ? "cls.predictions.bias" : name;

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[batch, tokens]</c>; null: all are real.</param>
    /// <param name="token_type_ids">The segment of each token, <c>[batch, tokens]</c>; null: all are in the first.</param>
    /// <returns>Logits <c>[batch, tokens, vocabulary]</c>: of each place what stands there, not what comes next.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, Tensor? token_type_ids = null)
    {
        using var hidden_states = bert.encode(input_ids, attention_mask, token_type_ids);
        return cls.forward(hidden_states);
    }
}

/// <summary>What holds the head, as files name it.</summary>
public partial class BertOnlyMLMHead : nn.Module<Tensor, Tensor>
{
    private readonly BertLMPredictionHead predictions;

    public BertOnlyMLMHead(BertConfig config, Parameter? embedding) : base(nameof(BertOnlyMLMHead))
    {
        predictions = new BertLMPredictionHead(config, embedding);
        RegisterComponents();
    }

    /// <inheritdoc cref="BertLMPredictionHead.forward"/>
    public override Tensor forward(Tensor hidden_states) => predictions.forward(hidden_states);
}

/// <summary>A dense layer with a norm, then the logits of all tokens.</summary>
public partial class BertLMPredictionHead : nn.Module<Tensor, Tensor>
{
    private readonly BertPredictionHeadTransform transform;
    private readonly Linear decoder;

    public BertLMPredictionHead(BertConfig config, Parameter? embedding) : base(nameof(BertLMPredictionHead))
    {
        transform = new BertPredictionHeadTransform(config);
        decoder = nn.Linear(config.HiddenSize, config.VocabSize);
        if (embedding is not null) decoder.weight = embedding;
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <returns><c>[batch, tokens, vocabulary]</c>.</returns>
    public override Tensor forward(Tensor hidden_states)
    {
        using var transformed = transform.forward(hidden_states);
        return decoder.forward(transformed);
    }
}

/// <summary>A dense layer, gelu and a norm.</summary>
public partial class BertPredictionHeadTransform : nn.Module<Tensor, Tensor>
{
    private readonly Linear dense;
    private readonly LayerNorm LayerNorm;

    public BertPredictionHeadTransform(BertConfig config) : base(nameof(BertPredictionHeadTransform))
    {
        dense = nn.Linear(config.HiddenSize, config.HiddenSize);
        LayerNorm = nn.LayerNorm(config.HiddenSize, config.LayerNormEps);
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <returns>As the input.</returns>
    public override Tensor forward(Tensor hidden_states)
    {
        using var scope = NewDisposeScope();
        return LayerNorm.forward(nn.functional.gelu(dense.forward(hidden_states))).MoveToOuterDisposeScope();
    }
}
