using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>The change of the embeddings.</summary>
internal sealed class InvertibleSlot : OutputSlot
{
    private readonly Coupling _coupling;

    public InvertibleSlot(Site site, Invertible values) : base(site.Path)
    {
        var dim = StateWidth.Of(site, values.Width, values);
        _coupling = site.Share(Invertible.Part, () => new Coupling(site, dim, values)).RequireWidth(site.Path, dim);
        _coupling.StandAt(site.Path);
    }

    public override Tensor forward(ForwardContext context, Tensor output) => _coupling.forward(output);

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}

/// <summary>The inverse before the last linear layer of a head.</summary>
internal sealed class InverseSlot : LayerSlot
{
    private readonly Coupling _coupling;

    public InverseSlot(Site site, Invertible values) : base(site.Path)
    {
        var dim = HostLinear.Of(site.Host.Module, site.Path, "an inverse").Inputs;
        _coupling = site.Share(Invertible.Part, () => new Coupling(site, dim, values)).RequireWidth(site.Path, dim);
    }

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        using var undone = _coupling.inverse(x);
        return layer.forward(undone);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}
