using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>A hypercomplex projection; the formula is <see cref="Compacter"/>'s.</summary>
internal sealed class PhmProjection : Projection
{
    private const string Bias = "b";
    private readonly PhmShared? _shared;
    private readonly bool _up;

    /// <param name="site">The site.</param>
    /// <param name="values">The method's values.</param>
    /// <param name="inputs">The size of the input.</param>
    /// <param name="outputs">The size of the output.</param>
    /// <param name="up">Whether it is U, else D.</param>
    public PhmProjection(Site site, Compacter values, long inputs, long outputs, bool up) : base(site.Path)
    {
        var n = values.PhmDim;
        if (n < 1 || values.PhmRank < 1)
            throw new AdapterException($"{site.Path}: PhmDim is {n} and PhmRank is {values.PhmRank}, expected at least 1.");
        if (inputs % n != 0 || outputs % n != 0)
            throw new AdapterException(
                $"{site.Path}: PhmDim is {n}, which does not divide both {inputs} and {outputs}, the sizes of a projection. Choose a reduction and a PhmDim that fit the model's width.");
        _up = up;
        _shared = values.SharedPhmRule || values.SharedPhmW ? PhmShared.Of(site, values, up ? outputs : inputs, up ? inputs : outputs) : null;
        foreach (var (name, value) in values.SharedPhmRule ? [] : PhmStart.Rule(site, values, 0.01))
            Learn(name, value);
        foreach (var (name, value) in values.SharedPhmW ? [] : PhmStart.Factors(site, values, "W", inputs, outputs))
            Learn(name, value);
        if (values.PhmBias)
            Learn(Bias, site.Zeros(outputs));
    }

    public override ScalarType Dtype => (_shared ?? (Slot)this).parameters().First().dtype;

    public override Tensor forward(ForwardContext context, Tensor x)
    {
        var own = OwnParameters();
        using var rule = PhmShared.Product(own, PhmStart.RuleName) ?? _shared!.Rule();
        using var factors = PhmShared.Product(own, "W") ?? _shared!.Factors(_up);
        using var h = SumOfProducts(rule, factors);
        using var weight = h.t();
        return linear(x, weight, own.GetValueOrDefault(Bias));
    }

    /// <summary>Σᵢ Aᵢ ⊗ Wᵢ.</summary>
    /// <param name="a"><c>[n, n, n]</c></param>
    /// <param name="w"><c>[n, p, q]</c></param>
    /// <returns><c>[n·p, n·q]</c>; the caller owns it.</returns>
    private static Tensor SumOfProducts(Tensor a, Tensor w)
    {
        var (n, p, q) = (a.shape[0], w.shape[1], w.shape[2]);
        using var flatA = a.reshape(n, n * n);
        using var byEntry = flatA.t();
        using var flatW = w.reshape(n, p * q);
        // Each entry of the large matrix is one of A's times one of W's, summed over i: a product of matrices, in another order.
        using var products = byEntry.matmul(flatW);
        using var blocks = products.view(n, n, p, q);
        using var ordered = blocks.permute(0, 2, 1, 3);
        return ordered.reshape(n * p, n * q);
    }

    public override IEnumerable<StoredTensor> StoredAs(string key) => OwnParameters().Select(p => new StoredTensor($"{key}.{p.Key}", p.Value));

    private Dictionary<string, Tensor> OwnParameters() => named_parameters(recurse: false).ToDictionary(p => p.name, p => (Tensor)p.parameter);
}
