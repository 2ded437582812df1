using PeftGen;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Consumer;

/// <summary>The model of someone who has nothing but the package.</summary>
[LoRA(rank: 2, alpha: 4, targets: "first")]
public partial class Model : nn.Module<Tensor, Tensor>
{
    private readonly Linear first = nn.Linear(8, 16);
    private readonly Linear second = nn.Linear(16, 4);

    public Model() : base(nameof(Model))
    {
        RegisterComponents();
    }

    public override Tensor forward(Tensor input)
    {
        using var hidden = first.forward(input);
        return second.forward(hidden);
    }
}
