using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>The feed-forward network: <c>wo(f(wi(x)))</c>, or with a gate <c>wo(f(wi_0(x)) · wi_1(x))</c>.</summary>
public partial class T5DenseReluDense : nn.Module<Tensor, Tensor>
{
    private readonly Linear? wi;
    private readonly Linear? wi_0;
    private readonly Linear? wi_1;
    private readonly Linear wo;
    private readonly bool isGelu;
    private readonly double dropout;

    public T5DenseReluDense(T5Config config) : base(nameof(T5DenseReluDense))
    {
        (isGelu, dropout) = (config.IsGelu, config.Dropout);
        if (config.IsGated)
        {
            wi_0 = nn.Linear(config.ModelSize, config.InnerSize, hasBias: false);
            wi_1 = nn.Linear(config.ModelSize, config.InnerSize, hasBias: false);
        }
        else
        {
            wi = nn.Linear(config.ModelSize, config.InnerSize, hasBias: false);
        }

        wo = nn.Linear(config.InnerSize, config.ModelSize, hasBias: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        using var scope = NewDisposeScope();
        var inner = wi is not null ? Activated(wi.forward(x)) : Activated(wi_0!.forward(x)) * wi_1!.forward(x);
        return wo.forward(nn.functional.dropout(inner, dropout, training)).MoveToOuterDisposeScope();
    }

    private Tensor Activated(Tensor x) => isGelu ? 0.5 * x * (1 + (Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x.pow(3)))).tanh()) : x.relu();
}
