using PeftGen.Checkpoints;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>BERT with a classifier over the pooled first token.</summary>
public partial class BertForSequenceClassification : nn.Module<Tensor, Tensor?, Tensor?, Tensor>
{
    private readonly BertModel bert;
    private readonly Dropout dropout;
    private readonly Linear classifier;

    public BertForSequenceClassification(BertConfig config) : base(nameof(BertForSequenceClassification))
    {
        bert = new BertModel(config);
        dropout = nn.Dropout(config.ClassifierDropout);
        classifier = nn.Linear(config.HiddenSize, config.NumLabels);
        RegisterComponents();
    }

    /// <summary>Loads a Hugging Face folder, in evaluation mode.</summary>
    /// <param name="folder">A folder with <c>config.json</c> and safetensors, of a BERT with a classifier, or of any BERT with a new one.</param>
    /// <param name="dtype">The element type to compute in, whatever the files have; float32 where not given.</param>
    /// <param name="newHead">Whether the classifier starts anew, for a folder that has none.</param>
    /// <exception cref="CheckpointException">The folder holds no such model, or its weights do not fit its configuration.</exception>
    public static BertForSequenceClassification FromPretrained(string folder, ScalarType dtype = ScalarType.Float32, bool newHead = false)
    {
        using var files = HuggingFaceFolder.Open(folder);
        var model = new BertForSequenceClassification(BertConfig.FromJson(files.Config)).to(dtype);
        files.Load(model, mayBeMissing: newHead ? new HashSet<string> { "classifier" } : null);
        model.eval();
        return model;
    }

    /// <param name="input_ids"><c>[batch, tokens]</c>.</param>
    /// <param name="attention_mask">1 at real tokens, 0 at padding, <c>[batch, tokens]</c>; null: all are real.</param>
    /// <param name="token_type_ids">The segment of each token, <c>[batch, tokens]</c>; null: all are in the first.</param>
    /// <returns>Logits <c>[batch, labels]</c>.</returns>
    public override Tensor forward(Tensor input_ids, Tensor? attention_mask = null, Tensor? token_type_ids = null)
    {
        using var scope = NewDisposeScope();
        var (_, pooled) = bert.forward(input_ids, attention_mask, token_type_ids);
        return classifier.forward(dropout.forward(pooled)).MoveToOuterDisposeScope();
    }
}
