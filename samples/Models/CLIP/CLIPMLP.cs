using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The feed-forward network: <c>fc2(gelu(fc1(x)))</c>.</summary>
public partial class CLIPMLP : nn.Module<Tensor, Tensor>
{
    private readonly Linear fc1;
    private readonly Linear fc2;
    private readonly bool quickGelu;

    public CLIPMLP(CLIPEncoderConfig config) : base(nameof(CLIPMLP))
    {
        fc1 = nn.Linear(config.HiddenSize, config.IntermediateSize);
        fc2 = nn.Linear(config.IntermediateSize, config.HiddenSize);
        quickGelu = config.QuickGelu;
        RegisterComponents();
    }

    /// <param name="hidden_states"><c>[batch, tokens, hidden]</c>.</param>
    /// <returns><c>[batch, tokens, hidden]</c>.</returns>
    public override Tensor forward(Tensor hidden_states)
    {
        using var scope = NewDisposeScope();
        var inner = fc1.forward(hidden_states);
        inner = quickGelu ? inner * (1.702 * inner).sigmoid() : nn.functional.gelu(inner);
        return fc2.forward(inner).MoveToOuterDisposeScope();
    }
}
