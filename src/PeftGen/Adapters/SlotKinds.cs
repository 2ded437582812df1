using PeftGen.Compiled;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen;

/// <summary>A slot beside a child layer: it runs the layer through the adapter.</summary>
/// <param name="path">The path of the layer from the root.</param>
public abstract class LayerSlot(string path) : Slot(path)
{
    /// <summary>Runs the layer through the adapter.</summary>
    /// <param name="layer">The layer below: the host, or the host as the slots before this one changed it.</param>
    /// <param name="x">The layer's input, for a linear layer <c>[…, in]</c>.</param>
    /// <returns>The layer's output, for a linear layer <c>[…, out]</c>; the caller owns it.</returns>
    public abstract Tensor forward(LayerCall layer, Tensor x);

    /// <summary>
    /// Whether <see cref="forward"/> runs what lies below just once, with the very input that it is given, so that all it does is done to the output. Adapters of one batch then share the layer's call.
    /// </summary>
    public virtual bool ActsOnOutput => false;

    /// <summary>What one of the layer's parameters is with the adapter, for code that reads it past the layer.</summary>
    /// <param name="context">The context of the root's call; it keeps what is computed.</param>
    /// <param name="host">The layer of the base.</param>
    /// <param name="name">The parameter's name: <c>weight</c> or <c>bias</c>.</param>
    /// <param name="value">Its value below: the base's, or as the slots before this one changed it. Null: the layer has none.</param>
    /// <returns>A tensor that the reader does not dispose.</returns>
    /// <exception cref="AdapterException">The method is no change of the parameter.</exception>
    public virtual Tensor? read(ForwardContext context, nn.Module host, string name, Tensor? value) => throw new AdapterException(
        $"{Path}: the model reads the {name} of this layer past the layer, and {GetType().Name} is no change of a {name}. Call the layer instead, or leave it out of the targets.");
}

/// <summary>One call of a layer through an adapter: the context, the host, and what lies below the slot that is running.</summary>
public readonly struct LayerCall
{
    private readonly Below? _below;
    private readonly bool _hooks;

    internal LayerCall(ForwardContext context, nn.Module<Tensor, Tensor> host, bool hooks) : this(context, host, hooks, null) { }

    private LayerCall(ForwardContext context, nn.Module<Tensor, Tensor> host, bool hooks, Below? below)
    {
        Context = context;
        Host = host;
        _hooks = hooks;
        _below = below;
    }

    /// <summary>The context of the root's call.</summary>
    public ForwardContext Context { get; }

    /// <summary>The layer of the base.</summary>
    public nn.Module<Tensor, Tensor> Host { get; }

    /// <summary>Whether the host's own hooks run.</summary>
    internal bool WithHooks => _hooks;

    /// <summary>Runs what lies below: the host itself, or the slot before this one.</summary>
    /// <param name="x">The input.</param>
    /// <returns>The output; the caller owns it.</returns>
    public Tensor forward(Tensor x) => _below switch
    {
        SlotBelow slots => slots.Slot.forward(new LayerCall(Context, Host, _hooks, slots.Rest), x),
        OutputBelow known => known.Output,
        _ => _hooks ? Host.call(x) : Host.forward(x),
    };

    /// <summary>Runs slots, each around those before it, on top of what lies below.</summary>
    internal Tensor Through(IEnumerable<LayerSlot> slots, Tensor x) =>
        new LayerCall(Context, Host, _hooks, slots.Aggregate(_below, (rest, slot) => new SlotBelow(slot, rest))).forward(x);

    internal LayerCall With(ForwardContext context) => new(context, Host, _hooks, _below);

    /// <summary>The same with what lies below computed already, for slots that <see cref="LayerSlot.ActsOnOutput">act on the output</see>.</summary>
    /// <param name="output">What it returned. One call hands it out, and its caller then owns it.</param>
    internal LayerCall With(Tensor output) => new(Context, Host, _hooks, new OutputBelow(output));

    /// <summary>What lies below, but for the host itself.</summary>
    private abstract record Below;

    /// <summary>The slots between the running one and the host, from the top.</summary>
    private sealed record SlotBelow(LayerSlot Slot, Below? Rest) : Below;

    /// <summary>What they and the host came to.</summary>
    private sealed record OutputBelow(Tensor Output) : Below;
}

/// <summary>A slot in place of a parameter that compiled code reads.</summary>
/// <param name="path">The path of the parameter from the root.</param>
public abstract class ParameterSlot(string path) : Slot(path)
{
    /// <summary>The value to use where the code reads the parameter.</summary>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="host">The base's parameter.</param>
    /// <returns>A tensor that stays the slot's or the context's: like a field that is read, the reader does not dispose it.</returns>
    public abstract Tensor forward(ForwardContext context, Parameter host);
}

/// <summary>A slot where a sub-layer's output meets its residual.</summary>
/// <param name="path">The path of the module that holds the site, from the root.</param>
public abstract class ResidualSlot(string path) : Slot(path)
{
    /// <summary>Computes <c>N(h + r)</c> through the adapter.</summary>
    /// <param name="call">The site: its norm and context.</param>
    /// <param name="h">The sub-layer's output, <c>[batch, tokens, dim]</c>.</param>
    /// <param name="r">The residual, <c>[batch, tokens, dim]</c>.</param>
    /// <returns>The sum after the norm; the caller owns it.</returns>
    public abstract Tensor forward(ResidualCall call, Tensor h, Tensor r);
}

/// <summary>One passage of a residual site.</summary>
public readonly struct ResidualCall
{
    private readonly nn.Module<Tensor, Tensor>? _norm;
    private readonly LayerSlot? _normSlot;
    private readonly bool _hooks;
    private readonly bool _outputIsLast;
    private readonly Tensor _h;
    private readonly Tensor _r;

    internal ResidualCall(ForwardContext context, nn.Module<Tensor, Tensor>? norm, LayerSlot? normSlot, Tensor h, Tensor r, bool outputIsLast, bool hooks)
    {
        Context = context;
        _norm = norm;
        _normSlot = normSlot;
        (_h, _r, _outputIsLast, _hooks) = (h, r, outputIsLast, hooks);
    }

    /// <summary>The context of the root's call.</summary>
    public ForwardContext Context { get; }

    /// <summary>Whether a norm follows the sum.</summary>
    public bool HasNorm => _norm is not null;

    /// <summary>The same passage for some rows of the batch, through the norm's slot of those rows.</summary>
    internal Tensor forward(ResidualSlot? slot, ForwardContext context, Func<LayerSlot?, LayerSlot?> normSlot, Tensor h, Tensor r) =>
        new ResidualCall(context, _norm, normSlot(_normSlot), h, r, _outputIsLast, _hooks).Through(slot);

    /// <summary>Runs the passage: through the slot, or as the base where it is null.</summary>
    internal Tensor Through(ResidualSlot? slot)
    {
        if (slot is not null)
            return _norm is null ? SumLayout.Of(slot.forward(this, _h, _r), First, Second) : slot.forward(this, _h, _r);
        if (_norm is null)
            return First + Second;
        using var sum = First + Second;
        return Normed(sum);
    }

    /// <summary>The sum as the model writes it: of <c>r + h</c> and <c>h + r</c>, the first operand decides how the result lies in memory.</summary>
    /// <param name="h">The sub-layer's output, or what becomes of it.</param>
    /// <param name="r">The residual.</param>
    /// <returns>A tensor that the caller owns.</returns>
    public Tensor Sum(Tensor h, Tensor r) => _outputIsLast ? r + h : h + r;

    /// <summary>The norm after the sum, <c>N(x)</c>.</summary>
    /// <param name="x">The sum, <c>[batch, tokens, dim]</c>.</param>
    /// <returns>A tensor that the caller owns; a copy of <paramref name="x"/> where there is no norm.</returns>
    public Tensor Norm(Tensor x)
    {
        if (_norm is null)
            return x.alias();
        using var laidOut = SumLayout.Of(x.alias(), First, Second);
        return Normed(laidOut);
    }

    private Tensor First => _outputIsLast ? _r : _h;

    private Tensor Second => _outputIsLast ? _h : _r;

    private Tensor Normed(Tensor sum) => _hooks ? _normSlot.call(Context, _norm!, sum) : _normSlot.forward(Context, _norm!, sum);
}

/// <summary>A slot where keys and values enter attention.</summary>
/// <param name="path">The path of the attention module from the root.</param>
public abstract class AttentionSlot(string path) : Slot(path)
{
    /// <summary>See <see cref="Attention.Attach"/>. New tensors are handed to <see cref="ForwardContext.Keep"/>.</summary>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="x">The attention's input, <c>[batch, tokens, dim]</c>.</param>
    /// <param name="q">Queries <c>[batch, heads, tokens, head_dim]</c>.</param>
    /// <param name="k">Keys <c>[batch, kv_heads, keys, head_dim]</c>.</param>
    /// <param name="v">Values, as the keys.</param>
    /// <param name="mask">Additive mask, broadcastable to <c>[batch, heads, tokens, keys]</c>; null: none, or attention written by hand, which masks its scores itself: a mask that is returned is then added to them.</param>
    public abstract (Tensor k, Tensor v, Tensor? mask) forward(ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask);
}

/// <summary>A slot on what a compiled module's forward, or a layer, returns.</summary>
/// <param name="path">The path of the module from the root.</param>
public abstract class OutputSlot(string path) : Slot(path)
{
    /// <summary>Changes what the module returned.</summary>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="output">The output, of a block <c>[batch, tokens, dim]</c>; it stays the caller's.</param>
    /// <returns>A tensor that the caller owns.</returns>
    public abstract Tensor forward(ForwardContext context, Tensor output);
}

/// <summary>A slot at the root's door: it sees the inputs of a call before the model does, and what the model returns.</summary>
/// <param name="path">The path of the root: empty.</param>
public abstract class InputSlot(string path) : Slot(path)
{
    /// <summary>Looks at the inputs by role, and replaces them: <c>context[InputRole.InputIds] = context.Keep(widened)</c>.</summary>
    /// <param name="context">The context of the call.</param>
    /// <remarks>An input that the method of the root takes as something else than a parameter of its own cannot be replaced; that is an error.</remarks>
    public abstract void enter(ForwardContext context);

    /// <summary>Changes what the root returns. Default: nothing.</summary>
    /// <param name="context">The context of the call.</param>
    /// <param name="output">What the model returned; it stays the caller's.</param>
    /// <returns>The same tensor, or a new one that the caller owns.</returns>
    public virtual Tensor leave(ForwardContext context, Tensor output) => output;
}
