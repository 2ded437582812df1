using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>All layers in turn.</summary>
public partial class BertEncoder : nn.Module<Tensor, Tensor?, Tensor>
{
    private readonly ModuleList<BertLayer> layer;

    public BertEncoder(BertConfig config) : base(nameof(BertEncoder))
    {
        layer = new ModuleList<BertLayer>([.. Enumerable.Range(0, (int)config.NumHiddenLayers).Select(_ => new BertLayer(config))]);
        RegisterComponents();
    }

    /// <inheritdoc cref="BertSelfAttention.forward"/>
    public override Tensor forward(Tensor hidden_states, Tensor? attention_mask = null)
    {
        // A tensor of its own, so that the caller's is not disposed with the inner ones.
        hidden_states = hidden_states.alias();
        foreach (var block in layer)
        {
            using var input = hidden_states;
            hidden_states = block.forward(input, attention_mask);
        }
        return hidden_states;
    }
}
