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

    protected override Tensor Compute(ForwardContext context) => _mlp is null ? this[Vectors].alias() : Encode(context, _mlp);

    /// <summary>The network's output, <c>[rows, dim]</c>; the caller owns it.</summary>
    /// <param name="context">The context of the call; null: it is none.</param>
    /// <param name="mlp">The network's end.</param>
    private Tensor Encode(ForwardContext? context, EncoderMlp mlp)
    {
        if (_lstm is null)
            return mlp.forward(_table!.Value);
        using var read = _lstm.forward(context, _table!.Value);
        return mlp.forward(read);
    }

    public override void Eject()
    {
        if (_mlp is not { } mlp)
            return;
        using var quiet = no_grad();
        Learn(Vectors, Encode(null, mlp));
        foreach (var (name, part) in named_children().ToList())
        {
            register_module(name, null!);
            part.Dispose();
        }

        (_table, _lstm, _mlp) = (null, null, null);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [new(KeyOf(format), _mlp is null ? this[Vectors] : Output(_mlp))];

    public override IEnumerable<StoredTensor> LeftOut(FileFormat format) => named_parameters()
        .Where(p => p.name != Vectors).Select(p => new StoredTensor($"{Name}.default.{p.name}", p.parameter));

    private Tensor Output(EncoderMlp mlp)
    {
        using var quiet = no_grad();
        return Encode(null, mlp);
    }
}
