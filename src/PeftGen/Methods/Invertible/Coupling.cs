using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>The coupling of an adapter, which its two sites share; the formula is <see cref="Invertible"/>'s.</summary>
internal sealed class Coupling : Slot, IInvertible
{
    private readonly Func<Tensor, Tensor> _nonLinearity;
    private readonly long _dim, _half;
    private string? _place;

    /// <param name="site">The first site that asks for it.</param>
    /// <param name="dim">The width of the states there.</param>
    /// <param name="values">The values.</param>
    public Coupling(Site site, long dim, Invertible values) : base(Invertible.Part)
    {
        (_dim, _half) = (dim, dim / 2);
        if (dim < 2)
            throw new AdapterException($"{site.Path}: the states are {dim} wide, expected at least 2 channels, to be halved.");
        if (!(values.Reduction >= 1))
            throw new AdapterException($"{site.Path}: reduction is {values.Reduction.ToString(CultureInfo.InvariantCulture)}, expected at least 1.");
        _nonLinearity = NonLinearity.Of(values.NonLinearity, site.Path);
        LearnNetwork(site, "F", _dim - _half, _half, values.Reduction);
        LearnNetwork(site, "G", _half, _dim - _half, values.Reduction);
    }

    /// <summary>Takes its place behind the embeddings.</summary>
    /// <param name="path">The path of what returns them.</param>
    /// <exception cref="AdapterException">It has one already.</exception>
    public void StandAt(string path) => _place = _place is null ? path
        : throw new AdapterException($"{path}: the targets name {_place}, too, and an invertible adapter stands at one place. Name one of them, or put the other into a group of its own.");

    /// <summary>Requires that states of a site are as wide as the embeddings.</summary>
    public Coupling RequireWidth(string path, long dim) => dim == _dim ? this
        : throw new AdapterException($"{path}: the states are {dim} wide, and the embeddings {_dim}. What was changed there cannot be undone here; leave this layer out of the inverse.");

    public Tensor forward(Tensor x)
    {
        using var typed = x.to(Type);
        using var x1 = typed.narrow(-1, 0, _half);
        using var x2 = typed.narrow(-1, _half, _dim - _half);
        using var f = Network("F", x2);
        using var y1 = x1 + f;
        using var g = Network("G", y1);
        using var y2 = x2 + g;
        using var y = cat([y1, y2], -1);
        return y.to(x.dtype);
    }

    public Tensor inverse(Tensor y)
    {
        using var typed = y.to(Type);
        using var y1 = typed.narrow(-1, 0, _half);
        using var y2 = typed.narrow(-1, _half, _dim - _half);
        using var g = Network("G", y1);
        using var x2 = y2 - g;
        using var f = Network("F", x2);
        using var x1 = y1 - f;
        using var x = cat([x1, x2], -1);
        return x.to(y.dtype);
    }

    private ScalarType Type => this["F_in_weight"].dtype;

    private void LearnNetwork(Site site, string name, long inputs, long outputs, double reduction)
    {
        var width = Math.Max(1, (long)Math.Floor(inputs / reduction));
        Learn($"{name}_in_weight", Start.Normal(site, 0.02, width, inputs));
        Learn($"{name}_in_bias", site.Zeros(width));
        Learn($"{name}_out_weight", Start.Normal(site, 0.02, outputs, width));
        Learn($"{name}_out_bias", site.Zeros(outputs));
    }

    private Tensor Network(string name, Tensor x)
    {
        using var down = linear(x, this[$"{name}_in_weight"], this[$"{name}_in_bias"]);
        using var active = _nonLinearity(down);
        return linear(active, this[$"{name}_out_weight"], this[$"{name}_out_bias"]);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        // It lies beside what returns the embeddings.
        var owner = _place!.Contains('.') ? _place[..(_place.LastIndexOf('.') + 1)] : "";
        var root = format == FileFormat.AdapterHub ? $"{owner}invertible_adapters.{{name}}." : $"{HuggingFaceKeys.Prefix}{owner}invertible_adapters.";
        foreach (var name in (string[])["F", "G"])
            foreach (var (index, layer) in ((int, string)[])[(0, "in"), (2, "out")])
                foreach (var part in (string[])["weight", "bias"])
                    yield return new($"{root}{name}.{index}.{part}", this[$"{name}_{layer}_{part}"]);
    }
}
