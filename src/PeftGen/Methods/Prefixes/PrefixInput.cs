namespace PeftGen.Methods;

/// <summary>Says at the root's door where the text stands beside a prefix.</summary>
internal sealed class PrefixInput(Site site, PrefixTuning values) : InputSlot(site.Path)
{
    private readonly int _length = values.Length;
    private readonly PrefixPositions _positions = values.Positions;

    public override void enter(ForwardContext context)
    {
        if (_positions == PrefixPositions.Shifted)
            context.PositionShift += _length;
        if (_positions == PrefixPositions.Kept)
            context.QueriesStay = true;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];
}
