using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Models;

/// <summary>A linear layer that keeps its matrix the other way round than <c>Linear</c>: <c>[in, out]</c>.</summary>
public partial class Conv1D : nn.Module<Tensor, Tensor>
{
    private readonly Parameter weight;
    private readonly Parameter bias;

    public Conv1D(long inputs, long outputs) : base(nameof(Conv1D))
    {
        weight = nn.Parameter(empty(inputs, outputs).normal_(0, 0.02));
        bias = nn.Parameter(zeros(outputs));
        RegisterComponents();
    }

    /// <param name="x"><c>[…, in]</c>.</param>
    /// <returns><c>[…, out]</c>.</returns>
    public override Tensor forward(Tensor x)
    {
        using var rows = x.reshape(-1, x.shape[^1]);
        using var y = addmm(bias, rows, weight, 1, 1);
        return y.view([.. x.shape[..^1], y.shape[1]]);
    }
}
