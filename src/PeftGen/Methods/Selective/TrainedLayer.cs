using PeftGen.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>
/// A built-in layer that runs with trained copies of some of its parameters, in place of the base's. A norm that trains whole has statistics of its own, too, and leaves the base's as they are.
/// </summary>
internal sealed class TrainedLayer : LayerSlot
{
    private readonly IReadOnlyList<string> _trained;
    private readonly Func<string, string> _key;
    private readonly IReadOnlyList<string> _statistics = [];
    private readonly long? _padding;

    /// <param name="site">The layer; its claim says which parameters train.</param>
    /// <param name="key">The key of a parameter in files.</param>
    public TrainedLayer(Site site, Func<string, string> key) : base(site.Path)
    {
        _key = key;
        if (site.Host.Module is not (Linear or FastLinear or LayerNorm or Embedding) && !TrackedNorm.Is(site.Host.Module))
            throw new AdapterException(
                $"{site.Path}: a {site.Host.Module.GetType().Name} cannot run with trained copies of its parameters; Linear, LayerNorm, BatchNorm, InstanceNorm and Embedding can, " +
                "and classes of yours that read a Parameter. Leave it out of the targets.");
        var parameters = site.Host.Module.named_parameters(recurse: false).Where(p => site.Covers(p.name)).ToList();
        _trained = parameters.Select(p => p.name).ToList();
        foreach (var (name, parameter) in parameters)
            Learn(name, parameter.detach().to(site.Dtype, copy: true));
        if (site.Host.Module is Embedding embedding)
            _padding = PaddingRow.Of(embedding);
        if (!TrackedNorm.Is(site.Host.Module) || parameters.Count < site.Host.Module.named_parameters(recurse: false).Count())
            return;
        var statistics = site.Host.Module.named_buffers(recurse: false).Where(b => TrackedNorm.Statistics.Contains(b.name)).ToList();
        _statistics = statistics.Select(b => b.name).ToList();
        foreach (var (name, statistic) in statistics)
            Hold(name, statistic.clone());
    }

    public override bool ReplacesHost => true;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        switch (layer.Host)
        {
            case Linear host:
            {
                using var weight = CopyOf("weight", host.weight.dtype);
                using var bias = CopyOf("bias", host.weight.dtype);
                return linear(x, weight ?? host.weight, bias ?? host.bias);
            }

            case FastLinear host:
            {
                using var weight = CopyOf("weight", host.weight.dtype);
                using var bias = CopyOf("bias", host.weight.dtype);
                return Products.Linear(x, weight ?? host.weight, bias ?? host.bias);
            }

            case LayerNorm host:
            {
                var dtype = host.weight.dtype;
                using var weight = CopyOf("weight", dtype);
                using var bias = CopyOf("bias", dtype);
                return layer_norm(x, host.normalized_shape, weight ?? host.weight, bias ?? host.bias, host.eps);
            }

            case Embedding host:
            {
                using var table = host.weight!;
                using var weight = CopyOf("weight", table.dtype)!;
                using var ids = x.reshape(-1);
                using var rows = PaddingRow.Look(weight, ids, _padding);
                return rows.view([.. x.shape, weight.shape[1]]);
            }

            case NormBase host:
            {
                using var weight = CopyOf("weight", host.weight.dtype);
                using var bias = CopyOf("bias", host.weight.dtype);
                var trains = host.training && (_statistics.Count == 0 || IsTraining(layer.Context));
                return TrackedNorm.forward(host, x, weight ?? host.weight, bias ?? host.bias, name => _statistics.Count == 0 ? host.get_buffer(name) : get_buffer(name), trains);
            }

            case var other:
                throw new AdapterException($"{Path}: the layer is now a {other.GetType().Name}. Create or load the adapter after the model is built.");
        }
    }

    public override Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value) =>
        CopyOf(name, value?.dtype ?? ScalarType.Float32) is { } copy ? context.Keep(copy) : value;

    /// <summary>A trained copy in the base's dtype, as a tensor that the caller disposes; null if the base's own is to be used.</summary>
    private Tensor? CopyOf(string name, ScalarType dtype) =>
        !_trained.Contains(name) ? null : this[name].dtype == dtype ? this[name].alias() : this[name].to(dtype);

    /// <summary>AdapterHub's files have no trained copies; heads are in files of their own there.</summary>
    public override IEnumerable<StoredTensor> Stored(FileFormat format) => format == FileFormat.AdapterHub ? []
        : [.. _trained.Select(name => new StoredTensor(_key(name), this[name])), .. _statistics.Select(name => new StoredTensor(_key(name), get_buffer(name)!))];

    public override bool CanMerge => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => Registered(host).Select(p => p.parameter);

    public override void MergeInto(HostPart host)
    {
        foreach (var (name, parameter) in Registered(host))
            parameter.copy_(this[name]);
        foreach (var (name, buffer) in host.Module.named_buffers(recurse: false).Where(b => _statistics.Contains(b.name)))
            buffer.copy_(get_buffer(name)!);
    }

    internal override IEnumerable<Tensor> MergedBuffers(HostPart host) => host.Module.named_buffers(recurse: false).Where(b => _statistics.Contains(b.name)).Select(b => b.buffer);

    private IEnumerable<(string name, Parameter parameter)> Registered(HostPart host) =>
        host.Module.named_parameters(recurse: false).Where(p => _trained.Contains(p.name));
}
