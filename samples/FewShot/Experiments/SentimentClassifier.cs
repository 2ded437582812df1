using PeftGen.FewShot.Data;
using PeftGen.Models;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.FewShot.Experiments;

/// <summary>A BERT, an adapter beside it or none, and a new classifier over the pooled first token.</summary>
internal sealed class SentimentClassifier : IDisposable
{
    // As Hugging Face starts the classifier of a BERT.
    private const double HeadStart = 0.02;
    private const int Classes = 2;
    private const int EvaluatedAtOnce = 64;

    private readonly BertModel _bert;
    private readonly BertModel.Adapter? _adapter;
    private readonly Linear _head;
    private readonly double _dropout;

    /// <summary>A classifier that has learned nothing yet.</summary>
    /// <param name="folder">The BERT's folder; it is read anew, since a method may change it.</param>
    /// <param name="config">What the folder says.</param>
    /// <param name="method">What is to train.</param>
    /// <param name="generator">Of the random starts.</param>
    /// <param name="device">Where it computes.</param>
    public SentimentClassifier(string folder, BertConfig config, FineTuningMethod method, Generator generator, Device device)
    {
        _bert = BertModel.FromPretrained(folder).to(device);
        _adapter = method.Create?.Invoke(_bert, generator);
        _head = nn.Linear(config.HiddenSize, Classes);
        using (no_grad())
        using (NewDisposeScope())
        {
            _head.weight!.normal_(0, HeadStart, generator);
            _head.bias!.zero_();
        }
        _head = _head.to(device);
        _dropout = config.ClassifierDropout;
        foreach (var parameter in _bert.parameters()) parameter.requires_grad = method.TrainsBase;
    }

    /// <summary>Where it computes.</summary>
    public Device Device => _head.weight!.device;

    /// <summary>What trains.</summary>
    public IReadOnlyList<Parameter> Trained =>
        [.. _head.parameters(), .. _adapter?.parameters() ?? [], .. _bert.parameters().Where(parameter => parameter.requires_grad)];

    /// <summary>The loss of a batch, with dropout in the base and before the classifier.</summary>
    /// <param name="sentences">The batch.</param>
    /// <param name="padding">The token to fill up with.</param>
    /// <returns>The mean cross entropy, a scalar.</returns>
    public Tensor Loss(IReadOnlyList<LabelledTokens> sentences, long padding)
    {
        using var scope = NewDisposeScope();
        _bert.train();
        _adapter?.train();
        var (ids, mask, labels) = LabelledTokens.Batch(sentences, padding, Device);
        var pooled = nn.functional.dropout(Pool(ids, mask), _dropout, training: true);
        return nn.functional.cross_entropy(_head.forward(pooled), labels).MoveToOuterDisposeScope();
    }

    /// <summary>The part of sentences whose likelier class is theirs.</summary>
    /// <param name="sentences">The sentences.</param>
    /// <param name="padding">The token to fill up with.</param>
    /// <param name="cancellation">Ends it before its next batch.</param>
    public double Accuracy(IReadOnlyList<LabelledTokens> sentences, long padding, CancellationToken cancellation)
    {
        using var noGradients = no_grad();
        _bert.eval();
        _adapter?.eval();
        var right = 0L;
        foreach (var batch in sentences.OrderBy(sentence => sentence.Ids.Length).Chunk(EvaluatedAtOnce))
        {
            cancellation.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var (ids, mask, labels) = LabelledTokens.Batch(batch, padding, Device);
            right += _head.forward(Pool(ids, mask)).argmax(-1).eq(labels).sum().item<long>();
        }
        return (double)right / sentences.Count;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _head.Dispose();
        _adapter?.Dispose();
        _bert.Dispose();
    }

    private Tensor Pool(Tensor ids, Tensor mask) => (_adapter is null ? _bert.forward(ids, mask) : _bert.forward(_adapter, ids, mask)).pooler_output;
}
