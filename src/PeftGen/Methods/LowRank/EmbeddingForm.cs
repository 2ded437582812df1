using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>Beside an embedding: <c>y = W[ids] + s·Aᵀ[ids]Bᵀ</c>, A <c>[rank, vocabulary]</c> starts at zero, B <c>[dim, rank]</c> normal. There is no dropout. Of <c>padding_idx</c> A gets no gradient, as W gets none.</summary>
internal sealed class EmbeddingForm(Embedding host) : LowRankForm
{
    private readonly long _vocabulary = Table(host).shape[0];
    private readonly long? _padding = PaddingRow.Of(host);

    public override (string a, string b) FileNames => ("lora_embedding_A", "lora_embedding_B");

    public override long Outputs { get; } = Table(host).shape[1];

    public override bool TakesNumbers => false;

    public override (Tensor a, Tensor b) Start(Site site, int rank, LoRAInit init) =>
        (site.Zeros(rank, _vocabulary), Methods.Start.Normal(site, 1, Outputs, rank));

    public override Tensor Down(Tensor x, Tensor a)
    {
        using var table = a.t();
        using var flat = x.flatten();
        using var rows = PaddingRow.Look(table, flat.dtype == ScalarType.Int64 || flat.dtype == ScalarType.Int32 ? flat : throw new AdapterException($"an embedding was called with {flat.dtype}, expected Int64 or Int32 ids."), _padding);
        return rows.view([.. x.shape, a.shape[0]]);
    }

    public override Tensor Up(Tensor h, Tensor b, Tensor? bias) => nn.functional.linear(h, b);

    public override Tensor Delta(Tensor a, Tensor b)
    {
        using var product = b.matmul(a);
        return product.t();
    }

    public override (Parameter weight, Parameter? bias) ParametersOf(nn.Module host) => (Table(host), null);

    // The property of an embedding makes a new parameter of the same numbers on each call, which is not the one that the module has.
    private static Parameter Table(nn.Module host) => host.named_parameters(recurse: false).Single(p => p.name == "weight").parameter;
}
