using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>A parameter of the user's own module, trained in a copy: compiled code reads the copy.</summary>
internal sealed class TrainedParameter : ParameterSlot
{
    private const string Value = "value";
    private readonly string _key;

    public TrainedParameter(Site site, Parameter host, string key) : base(site.Path)
    {
        _key = key;
        Learn(Value, host.detach().to(site.Dtype, copy: true));
    }

    public override Tensor forward(ForwardContext context, Parameter host)
    {
        var value = this[Value];
        return value.dtype == host.dtype ? value : context.Share(this, () => value.to(host.dtype));
    }

    /// <summary>AdapterHub's files have no trained copies.</summary>
    public override IEnumerable<StoredTensor> Stored(FileFormat format) => format == FileFormat.AdapterHub ? [] : [new(_key, this[Value])];

    public override bool CanMerge => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => [host.Parameter!];

    public override void MergeInto(HostPart host) => host.Parameter!.copy_(this[Value]);
}
