using System.Globalization;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace PeftGen.Methods;

/// <summary>The bottleneck at one residual site; the formula is <see cref="Bottleneck"/>'s.</summary>
internal sealed class BottleneckSlot : ResidualSlot
{
    private const string Scale = "scaling";
    private readonly Bottleneck _values;
    private readonly Func<Tensor, Tensor> _nonLinearity;
    private readonly Projection _down;
    private readonly Projection _up;
    private readonly OwnNorm? _normBefore;
    private readonly OwnNorm? _normAfter;
    private readonly Gate? _gate;
    private readonly DropoutSource _masks;
    private readonly bool _hostHasNorm;
    private readonly long _dim;

    public BottleneckSlot(Site site, Bottleneck values) : base(site.Path)
    {
        _values = values.Copy();
        _masks = site.Dropout;
        _hostHasNorm = !ReferenceEquals(site.Host.Module, site.Owner);
        var dim = _dim = StateWidth.Of(site, values.Width, values);
        _nonLinearity = NonLinearity.Of(values.NonLinearity, site.Path);
        Require(values.Dropout is >= 0 and < 1, nameof(values.Dropout), values.Dropout, "a probability of at least 0 and less than 1");
        Require(values.StochasticDepth is >= 0 and < 1, nameof(values.StochasticDepth), values.StochasticDepth, "a probability of at least 0 and less than 1");
        var reduction = values.ReductionOf(site);
        Require(reduction > 0, "reduction", reduction, "more than 0");
        var width = Math.Max(1, (long)Math.Floor(dim / reduction));
        if (values.LnBefore)
            register_module("norm_before", _normBefore = new OwnNorm(site, dim));
        register_module("down", _down = values.Project(site, dim, width, up: false));
        register_module("up", _up = values.Project(site, width, dim, up: true));
        if (values.LearnedScaling != LearnedScaling.None)
            Learn(Scale, site.Ones(values.LearnedScaling == LearnedScaling.Channel ? dim : 1));
        if (values.LnAfter)
            register_module("norm_after", _normAfter = new OwnNorm(site, dim));
        if (values.Gated)
            register_module("gate", _gate = new Gate(site, dim, GateSites.OfResidual(site), values.Pooling));
    }

    private void Require(bool holds, string name, double found, string expected)
    {
        if (!holds)
            throw new AdapterException($"{Path}: {name} is {found.ToString(CultureInfo.InvariantCulture)}, expected {expected}.");
    }

    public override Tensor forward(ResidualCall call, Tensor h, Tensor r)
    {
        if (h.shape[^1] != _dim)
            throw new AdapterException($"{Path}: the states are {h.shape[^1]} wide, and the adapter was made for {_dim}. Say it: [{_values.GetType().Name}(Width = {h.shape[^1]})].");
        using var x = Input(call, h, r);
        using var state = State(call, x, h, r);
        return Output(call, state, r, h.dtype);
    }

    /// <summary>What the adapter reads: x.</summary>
    /// <returns>In the adapter's own type; the caller owns it.</returns>
    private Tensor Input(ResidualCall call, Tensor h, Tensor r)
    {
        if (_values.Parallel || !_values.OriginalLnBefore)
            return Typed(_values.Parallel ? r : h);
        using var sum = call.Sum(h, r);
        using var normed = call.Norm(sum);
        return Typed(normed);

        Tensor Typed(Tensor t) => t.dtype == _down.Dtype ? t.alias() : t.to(_down.Dtype);
    }

    /// <summary>The update, added to the residual around the adapter.</summary>
    private Tensor State(ResidualCall call, Tensor x, Tensor h, Tensor r)
    {
        using var around = Around(call, x, h, r);
        using var update = Update(call.Context, x);
        // A parallel adapter has nothing around it that its own norm could see.
        if (_normAfter is not null && _values.AdapterResidualBeforeLn && !_values.Parallel)
        {
            using var inside = update + around;
            return _normAfter.forward(inside);
        }

        using var normed = _normAfter?.forward(update);
        return (normed ?? update) + around;
    }

    /// <summary>The residual around the adapter.</summary>
    private Tensor Around(ResidualCall call, Tensor x, Tensor h, Tensor r) => _values switch
    {
        { Parallel: true } or { OriginalLnBefore: false } => h.alias(),
        { ResidualBeforeLn: AdapterResidual.AfterLn } => x.alias(),
        { ResidualBeforeLn: AdapterResidual.PostAdd } => call.Sum(h, r),
        _ => h.alias(),
    };

    /// <summary>s·U f(D x), with dropout and gate in training's and the gate's place.</summary>
    private Tensor Update(ForwardContext context, Tensor x)
    {
        using var normed = _normBefore?.forward(x);
        using var down = _down.forward(context, normed ?? x);
        using var active = _nonLinearity(down);
        var update = _up.forward(context, active);
        if (IsTraining(context) && _values.StochasticDepth > 0)
            update = Then(update, _masks.DropRows(update, _values.StochasticDepth));
        if (_values.LearnedScaling != LearnedScaling.None)
            update = Then(update, update * this[Scale]);
        else if (_values.Scaling != 1)
            update = Then(update, update * _values.Scaling);
        if (IsTraining(context) && _values.Dropout > 0)
            update = Then(update, _masks.Drop(update, _values.Dropout));
        if (_gate is null)
            return update;
        using var g = _gate.forward(context, x);
        using var wide = g.view([-1, .. Enumerable.Repeat(1L, (int)update.dim() - 1)]);
        return Then(update, update * wide);
    }

    /// <summary>What goes on to the host.</summary>
    private Tensor Output(ResidualCall call, Tensor state, Tensor r, ScalarType type)
    {
        if (!_values.OriginalLnAfter)
            return state.dtype == type ? state.alias() : state.to(type);
        using var sum = call.Sum(state, r);
        using var typed = sum.dtype == type ? null : sum.to(type);
        return call.Norm(typed ?? sum);
    }

    private static Tensor Then(Tensor last, Tensor next)
    {
        last.Dispose();
        return next;
    }

    public override IEnumerable<StoredTensor> Stored(FileFormat format)
    {
        var root = format == FileFormat.AdapterHub ? $"{AdapterHubKeys.OfResidual(Path, _hostHasNorm)}.{{name}}." : $"{HuggingFaceKeys.Prefix}{Path}.";
        // The reference registers the norm in front twice: by itself, and as the first of the modules that end with the non-linearity.
        IEnumerable<StoredTensor> before = _normBefore is null ? [] : [.. _normBefore.StoredAs(root + "adapter_norm_before"), .. _normBefore.StoredAs(root + "adapter_down.0")];
        return [
            .. before, .. _down.StoredAs($"{root}adapter_down.{(_normBefore is null ? 0 : 1)}"), .. _up.StoredAs(root + "adapter_up"),
            .. _values.LearnedScaling != LearnedScaling.None ? [new StoredTensor(root + Scale, this[Scale])] : Array.Empty<StoredTensor>(),
            .. _normAfter?.StoredAs(root + "adapter_norm_after") ?? [], .. _gate?.StoredAs(root + "gate") ?? []];
    }

    /// <summary>A layer norm that the adapter brings.</summary>
    private sealed class OwnNorm : Slot
    {
        private const string Weight = "weight", Bias = "bias";

        public OwnNorm(Site site, long dim) : base(site.Path)
        {
            Learn(Weight, site.Ones(dim));
            Learn(Bias, site.Zeros(dim));
        }

        public Tensor forward(Tensor x) => layer_norm(x, [this[Weight].shape[0]], this[Weight], this[Bias]);

        public override IEnumerable<StoredTensor> Stored(FileFormat format) => [];

        public IEnumerable<StoredTensor> StoredAs(string key) => [new($"{key}.{Weight}", this[Weight]), new($"{key}.{Bias}", this[Bias])];
    }
}
