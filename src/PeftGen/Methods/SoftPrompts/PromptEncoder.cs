using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>A prompt that a small network computes from learned vectors; the formulas are <see cref="PTuning"/>'s. The network trains, the file has its output.</summary>
internal sealed class PromptEncoder : Prompt
{
    private readonly PTuning _values;
    private EncoderTable? _table;
    private EncoderLstm? _lstm;
    private EncoderMlp? _mlp;
    private Tensor? _output;

    /// <param name="site">The first site that asks for it.</param>
    /// <param name="rows">How many vectors there are.</param>
    /// <param name="values">The network's sizes.</param>
    public PromptEncoder(Site site, int rows, PTuning values) : base(site, rows, values) => _values = values;

    protected override void Begin(Site site, long width, Tensor? table)
    {
        var hidden = _values.HiddenSize == 0 ? width : _values.HiddenSize;
        register_module("embedding", _table = new EncoderTable(site, Rows, width));
        if (_values.Encoder == PromptNetwork.Lstm)
        {
            register_module("lstm_head", _lstm = new EncoderLstm(site, width, hidden, _values.Layers, _values.Dropout));
            register_module("mlp_head", _mlp = new EncoderMlp(site, 2 * hidden, 2 * hidden, width));
        }
        else
        {
            register_module("mlp_head", _mlp = new EncoderMlp(site, width, hidden, hidden, width));
        }
    }

    protected override Tensor Compute(ForwardContext context) => Encode();

    /// <summary>The network's output, <c>[rows, dim]</c>; the caller owns it.</summary>
    private Tensor Encode()
    {
        if (_lstm is null)
            return _mlp!.forward(_table!.Value);
        using var read = _lstm.forward(_table!.Value);
        return _mlp!.forward(read);
    }

    /// <summary>The output alone, computed anew into the same tensor each time.</summary>
    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        using (no_grad())
        {
            using var output = Encode();
            if (_output is { } kept && kept.dtype == output.dtype && kept.device.Equals(output.device))
            {
                kept.copy_(output);
            }
            else
            {
                _output?.Dispose();
                _output = output.clone().DetachFromDisposeScope();
            }
        }

        return [new(KeyOf(format), _output)];
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _output?.Dispose();
        base.Dispose(disposing);
    }
}
