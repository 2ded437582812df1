using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>The change of some tokens' states, <c>Δ(h) = Rᵀ(f(Wh + b) − Rh)</c> or one of its forms.</summary>
internal sealed class ReFTUnit : Slot
{
    private const string Weight = "learned_source_weight", Bias = "learned_source_bias", Projection = "projection", Numbers = "original", Base = "base";
    private readonly Func<Tensor, Tensor>? _nonLinearity;
    private readonly bool _orthogonal, _subtracts;
    private readonly double _dropout;
    private readonly DropoutSource _source;

    /// <param name="site">The block.</param>
    /// <param name="dim">The width of its output.</param>
    /// <param name="values">The values.</param>
    public ReFTUnit(Site site, long dim, ReFT values) : base(site.Path)
    {
        (_orthogonal, _subtracts, _dropout, _source) = (values.IsOrthogonal, values.Subtracts, values.Dropout, site.Dropout);
        _nonLinearity = values.NonLinearity is { } name ? NonLinearity.Of(name, site.Path) : null;
        var bound = 1 / Math.Sqrt(dim);
        Learn(Weight, Start.Uniform(site, bound, values.Rank, dim));
        Learn(Bias, Start.Uniform(site, bound, values.Rank));
        // Made on the CPU, so that a seed gives the same start on every device.
        using var directions = empty(values.Rank, dim, dtype: site.Dtype).uniform_(-bound, bound, site.Generator);
        if (!_orthogonal)
        {
            Learn(Projection, directions.to(site.Device, copy: true));
        }
        else if (values.HasBase)
        {
            var (numbers, basis) = OrthonormalRows.WithBase(directions);
            Learn(Numbers, numbers.to(site.Device));
            Hold(Base, basis.to(site.Device));
        }
        else
        {
            Learn(Numbers, OrthonormalRows.NumbersOf(directions).to(site.Device));
        }
    }

    /// <summary>The element type that the unit computes in.</summary>
    public ScalarType Type => this[Weight].dtype;

    /// <summary>The change.</summary>
    /// <param name="context">The context of the call.</param>
    /// <param name="h">The states of the tokens that change, <c>[batch, tokens, dim]</c>, of the unit's element type.</param>
    /// <returns>What is added to them; the caller owns it.</returns>
    public Tensor forward(ForwardContext context, Tensor h)
    {
        using var r = Directions();
        using var source = linear(h, this[Weight], this[Bias]);
        using var active = _nonLinearity?.Invoke(source);
        using var own = _subtracts ? linear(h, r) : null;
        using var difference = own is null ? null : (active ?? source) - own;
        var change = (difference ?? active ?? source).matmul(r);
        if (!IsTraining(context) || _dropout == 0)
            return change;
        // As the paper's code, of the whole state.
        using (change)
        {
            using var changed = h + change;
            using var dropped = _source.Drop(changed, _dropout);
            return dropped - h;
        }
    }

    /// <summary>R, <c>[rank, dim]</c>; the caller owns it.</summary>
    private Tensor Directions()
    {
        if (!_orthogonal)
            return this[Projection].alias();
        using var rows = OrthonormalRows.Of(this[Numbers], get_buffer(Base));
        return rows.to(Type);
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];

    /// <summary>The unit's tensors under the key that its owner has for it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="format">The file's format: AdapterHub's has a base for every R that is orthonormal, if only the identity.</param>
    public IEnumerable<StoredTensor> StoredAs(string key, FileFormat format)
    {
        yield return new($"{key}.learned_source.weight", this[Weight]);
        yield return new($"{key}.learned_source.bias", this[Bias]);
        if (!_orthogonal)
        {
            yield return new($"{key}.projection.weight", this[Projection]);
            yield break;
        }

        yield return new($"{key}.projection.parametrizations.weight.original", format == FileFormat.AdapterHub ? NumbersWithSigns() : this[Numbers]);
        if ((get_buffer(Base) ?? (format == FileFormat.AdapterHub ? eye(this[Numbers].shape[1], dtype: Type, device: this[Numbers].device) : null)) is { } basis)
            yield return new($"{key}.projection.parametrizations.weight.0.base", basis);
    }

    /// <summary>AdapterHub multiplies R's rows by the diagonal, cut to whole numbers. It means nothing here, so weight decay may have moved it.</summary>
    private Tensor NumbersWithSigns()
    {
        using var quiet = no_grad();
        using var diagonal = this[Numbers].diagonal();
        using var same = diagonal == -1;
        using var all = same.all();
        if (all.item<bool>())
            return this[Numbers];
        var numbers = this[Numbers].detach().clone();
        using var signs = numbers.diagonal();
        signs.fill_(-1);
        return numbers;
    }

    /// <summary>R under the key that a module has for it where it is not made of other numbers; empty where it is stored itself.</summary>
    public IEnumerable<StoredTensor> DerivedAs(string key) => _orthogonal ? [new($"{key}.projection.weight", Directions())] : [];
}
