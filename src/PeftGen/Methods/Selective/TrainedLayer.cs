using TorchSharp.Modules;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>A built-in layer that runs with trained copies of some of its parameters, in place of the base's.</summary>
internal sealed class TrainedLayer : LayerSlot
{
    private readonly IReadOnlyList<string> _trained;
    private readonly Func<string, string> _key;

    public TrainedLayer(Site site, Func<string, bool> which, Func<string, string> key) : base(site.Path)
    {
        _key = key;
        if (site.Host.Module is not (Linear or LayerNorm or Embedding))
            throw new AdapterException(
                $"{site.Path}: a {site.Host.Module.GetType().Name} cannot run with trained copies of its parameters; Linear, LayerNorm and Embedding can, and classes of yours that read a Parameter.");
        var parameters = site.Host.Module.named_parameters(recurse: false).Where(p => which(p.name)).ToList();
        _trained = parameters.Select(p => p.name).ToList();
        foreach (var (name, parameter) in parameters)
            Learn(name, parameter.detach().clone());
    }

    public override bool ReplacesHost => true;

    public override Tensor forward(LayerCall layer, Tensor x)
    {
        switch (layer.Host)
        {
            case Linear host:
                return linear(x, Of("weight", host.weight)!, Of("bias", host.bias));
            case LayerNorm host:
                return layer_norm(x, host.normalized_shape, Of("weight", host.weight), Of("bias", host.bias), host.eps);
            case Embedding:
                var weight = this["weight"];
                using (var flat = x.reshape(-1))
                using (var rows = weight.index_select(0, flat))
                    return rows.view([.. x.shape, weight.shape[1]]);
            case var other:
                throw new AdapterException($"{Path}: the layer is now a {other.GetType().Name}. Create or load the adapter after the model is built.");
        }
    }

    private Tensor? Of(string name, Parameter? host) => _trained.Contains(name) ? this[name] : host;

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => _trained.Select(name => new StoredTensor(_key(name), this[name]));

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
