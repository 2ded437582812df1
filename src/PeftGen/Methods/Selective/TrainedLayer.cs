using PeftGen.Layers;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>A built-in layer that runs with trained copies of some of its parameters, in place of the base's.</summary>
/// <remarks>The row of an embedding's <c>padding_idx</c> trains like the others: TorchSharp's Embedding does not tell which one it is.</remarks>
internal sealed class TrainedLayer : LayerSlot
{
    private readonly IReadOnlyList<string> _trained;
    private readonly Func<string, string> _key;

    /// <param name="site">The layer; its claim says which parameters train.</param>
    /// <param name="key">The key of a parameter in files.</param>
    public TrainedLayer(Site site, Func<string, string> key) : base(site.Path)
    {
        _key = key;
        if (site.Host.Module is not (Linear or FastLinear or LayerNorm or Embedding))
            throw new AdapterException(
                $"{site.Path}: a {site.Host.Module.GetType().Name} cannot run with trained copies of its parameters; Linear, LayerNorm and Embedding can, " +
                "and classes of yours that read a Parameter. Leave it out of the targets.");
        var parameters = site.Host.Module.named_parameters(recurse: false).Where(p => site.Covers(p.name)).ToList();
        _trained = parameters.Select(p => p.name).ToList();
        foreach (var (name, parameter) in parameters)
            Learn(name, parameter.detach().to(site.Dtype, copy: true));
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
                using var rows = weight.index_select(0, ids);
                return rows.view([.. x.shape, weight.shape[1]]);
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
    public override IEnumerable<StoredTensor> Stored(FileFormat format) => format == FileFormat.AdapterHub ? [] : _trained.Select(name => new StoredTensor(_key(name), this[name]));

    public override bool CanMerge => true;

    public override IEnumerable<Parameter> MergeTargets(HostPart host) => Registered(host).Select(p => p.parameter);

    public override void MergeInto(HostPart host)
    {
        foreach (var (name, parameter) in Registered(host))
            parameter.copy_(this[name]);
    }

    private IEnumerable<(string name, Parameter parameter)> Registered(HostPart host) =>
        host.Module.named_parameters(recurse: false).Where(p => _trained.Contains(p.name));
}
