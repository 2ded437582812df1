using static TorchSharp.torch;

namespace PeftGen.Methods;

/// <summary>What the hypercomplex projections of an adapter have in common: A, and with <see cref="Compacter.SharedPhmW"/> their second factors.</summary>
internal sealed class PhmShared : Slot
{
    private const string Down = "W_down", Up = "W_up";
    private readonly string _base;
    private readonly (int n, bool rule, bool factors, long rank, bool factorizedRule, bool factorizedW) _form;
    private readonly long _dim;
    private readonly long _width;

    private PhmShared(Site site, Compacter values, long dim, long width) : base("shared_parameters")
    {
        _base = AdapterHubKeys.BaseOf(site.Path);
        _form = FormOf(values);
        (_dim, _width) = (dim, width);
        foreach (var (name, value) in values.SharedPhmRule ? PhmStart.Rule(site, values, 1e-4) : [])
            Learn(name, value);
        foreach (var (name, value) in values.SharedPhmW ? [.. PhmStart.Factors(site, values, Down, dim, width), .. PhmStart.Factors(site, values, Up, width, dim)] : Array.Empty<(string, Tensor)>())
            Learn(name, value);
    }

    /// <summary>What is shared by the adapter that a site belongs to.</summary>
    /// <exception cref="AdapterException">It does not fit this site.</exception>
    public static PhmShared Of(Site site, Compacter values, long dim, long width)
    {
        var shared = site.Share("shared_parameters", () => new PhmShared(site, values, dim, width));
        if (shared._form != FormOf(values))
            throw new AdapterException($"{site.Path}: {values} shares what another of its group has in another form. Give them the same Phm values, or groups of their own.");
        return !values.SharedPhmW || (shared._dim, shared._width) == (dim, width) ? shared : throw new AdapterException(
            $"{site.Path}: the model's width is {dim} and the bottleneck's {width}, and SharedPhmW shares factors for {shared._dim} and {shared._width}. " +
            "Leave SharedPhmW, or give all sites the same reduction.");
    }

    /// <summary>A, <c>[n, n, n]</c>; the caller owns it.</summary>
    public Tensor Rule() => Product(Parameters(), PhmStart.RuleName)!;

    /// <summary>The second factors, <c>[n, in/n, out/n]</c>; the caller owns them.</summary>
    public Tensor Factors(bool up) => Product(Parameters(), up ? Up : Down)!;

    /// <summary>Matrices that are kept whole or as two factors; null: they are not among the parameters. The caller owns them.</summary>
    public static Tensor? Product(Dictionary<string, Tensor> parameters, string name) =>
        parameters.TryGetValue(name, out var whole) ? whole.alias()
        : parameters.TryGetValue(name + PhmStart.Left, out var left) ? left.bmm(parameters[name + PhmStart.Right])
        : null;

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        var root = format == FileFormat.AdapterHub ? $"{_base}shared_parameters.{{name}}." : $"{HuggingFaceKeys.Prefix}{_base}shared_parameters.";
        return Parameters().Select(p => new StoredTensor(root + p.Key, p.Value));
    }

    private static (int, bool, bool, long, bool, bool) FormOf(Compacter values) =>
        (values.PhmDim, values.SharedPhmRule, values.SharedPhmW, values.SharedPhmW ? values.PhmRank : 0, values.FactorizedPhmRule, values.FactorizedPhmW);

    private Dictionary<string, Tensor> Parameters() => named_parameters(recurse: false).ToDictionary(p => p.name, p => (Tensor)p.parameter);
}

/// <summary>How the parts of hypercomplex projections start.</summary>
internal static class PhmStart
{
    public const string RuleName = "phm_rule", Left = "_left", Right = "_right";

    /// <summary>A, normal, whole or in two factors.</summary>
    public static IEnumerable<(string name, Tensor value)> Rule(Site site, Compacter values, double std)
    {
        var n = values.PhmDim;
        return values.FactorizedPhmRule
            ? [(RuleName + Left, Start.Normal(site, std, n, n, 1)), (RuleName + Right, Start.Normal(site, std, n, 1, n))]
            : [(RuleName, Start.Normal(site, std, n, n, n))];
    }

    /// <summary>The second factors, each matrix normal after Glorot, whole or in two factors.</summary>
    public static IEnumerable<(string name, Tensor value)> Factors(Site site, Compacter values, string name, long inputs, long outputs)
    {
        var (n, p, q) = (values.PhmDim, inputs / values.PhmDim, outputs / values.PhmDim);
        return values.FactorizedPhmW
            ? [(name + Left, Glorot(site, n, p, values.PhmRank)), (name + Right, Glorot(site, n, values.PhmRank, q))]
            : [(name, Glorot(site, n, p, q))];
    }

    private static Tensor Glorot(Site site, long n, long rows, long columns) => Start.Normal(site, Math.Sqrt(2.0 / (rows + columns)), n, rows, columns);
}
