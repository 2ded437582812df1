using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace PeftGen.Compiled;

/// <summary>What compiled code calls: each runs the slot, or the base where the slot is empty.</summary>
public static class SlotCalls
{
    /// <summary>Runs a layer through its slot.</summary>
    /// <param name="slot">The slot; null: the base alone.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="host">The layer.</param>
    /// <param name="x">The layer's input.</param>
    public static Tensor forward(this LayerSlot? slot, ForwardContext context, nn.Module<Tensor, Tensor> host, Tensor x) =>
        slot is null ? host.forward(x) : slot.forward(new LayerCall(context, host, hooks: false), x);

    /// <summary>As <see cref="forward(LayerSlot?, ForwardContext, nn.Module{Tensor, Tensor}, Tensor)"/>, with the layer's hooks.</summary>
    public static Tensor call(this LayerSlot? slot, ForwardContext context, nn.Module<Tensor, Tensor> host, Tensor x) =>
        slot is null ? host.call(x) : slot.forward(new LayerCall(context, host, hooks: true), x);

    /// <summary>Runs one of the host's layers, met through a loop, an index or a variable, through its slot.</summary>
    public static Tensor forward(this NodeLookup lookup, ForwardContext context, nn.Module<Tensor, Tensor> host, Tensor x) =>
        lookup.Slot(host).forward(context, host, x);

    /// <summary>As <see cref="forward(NodeLookup, ForwardContext, nn.Module{Tensor, Tensor}, Tensor)"/>, with the layer's hooks.</summary>
    public static Tensor call(this NodeLookup lookup, ForwardContext context, nn.Module<Tensor, Tensor> host, Tensor x) =>
        lookup.Slot(host).call(context, host, x);

    /// <summary>Reads a parameter through its slot.</summary>
    /// <param name="slot">The slot; null: the base's parameter.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="host">The base's parameter.</param>
    /// <returns>A tensor that the reader does not dispose.</returns>
    public static Tensor read(this ParameterSlot? slot, ForwardContext context, Parameter host) =>
        slot is null ? host : slot.forward(context, host);

    /// <summary>Reads a layer's parameter past the layer, as the adapter changes it.</summary>
    /// <param name="slot">The layer's slot; null: the base's value.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="host">The layer.</param>
    /// <param name="name">The parameter's name in the layer.</param>
    /// <param name="value">The base's value.</param>
    /// <returns>A tensor that the reader does not dispose.</returns>
    [return: System.Diagnostics.CodeAnalysis.NotNullIfNotNull(nameof(value))]
    // Not called as the slot's own method is: that would hide it, and fail where the layer has no slot.
    public static Tensor? parameter(this LayerSlot? slot, ForwardContext context, nn.Module host, string name, Tensor? value) =>
        slot is null ? value : slot.read(context, host, name, value);

    /// <summary>Adds a residual through its slot: <c>N(h + r)</c>.</summary>
    /// <param name="slot">The slot; null: the base's sum.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="norm">The norm after the sum; null: none.</param>
    /// <param name="normSlot">The slot of the norm itself; null: none.</param>
    /// <param name="h">The sub-layer's output.</param>
    /// <param name="r">The residual.</param>
    /// <param name="hooks">Whether the norm's own hooks run.</param>
    public static Tensor forward(
        this ResidualSlot? slot, ForwardContext context, nn.Module<Tensor, Tensor>? norm, LayerSlot? normSlot, Tensor h, Tensor r, bool hooks = false) =>
        new ResidualCall(context, norm, normSlot, h, r, outputIsLast: false, hooks).Through(slot);

    /// <summary>As <c>forward</c>, with the output added onto the residual: <c>N(r + h)</c>.</summary>
    /// <param name="slot">The slot; null: the base's sum.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="norm">The norm after the sum; null: none.</param>
    /// <param name="normSlot">The slot of the norm itself; null: none.</param>
    /// <param name="r">The residual.</param>
    /// <param name="h">The sub-layer's output.</param>
    /// <param name="hooks">Whether the norm's own hooks run.</param>
    public static Tensor onto(
        this ResidualSlot? slot, ForwardContext context, nn.Module<Tensor, Tensor>? norm, LayerSlot? normSlot, Tensor r, Tensor h, bool hooks = false) =>
        new ResidualCall(context, norm, normSlot, h, r, outputIsLast: true, hooks).Through(slot);

    /// <summary>Adds a residual through its slot, into the output: <c>h.add_(r)</c>.</summary>
    /// <inheritdoc cref="forward(ResidualSlot?, ForwardContext, nn.Module{Tensor, Tensor}?, LayerSlot?, Tensor, Tensor, bool)"/>
    public static Tensor forward_(this ResidualSlot? slot, ForwardContext context, Tensor h, Tensor r) =>
        slot is null ? h.add_(r) : Into(h, copy => slot.forward(context, null, null, copy, r));

    /// <summary>Adds an output through the slot of its residual, into the residual: <c>r.add_(h)</c>.</summary>
    /// <inheritdoc cref="onto(ResidualSlot?, ForwardContext, nn.Module{Tensor, Tensor}?, LayerSlot?, Tensor, Tensor, bool)"/>
    public static Tensor onto_(this ResidualSlot? slot, ForwardContext context, Tensor r, Tensor h) =>
        slot is null ? r.add_(h) : Into(r, copy => slot.onto(context, null, null, copy, h));

    // Of a copy: the backward pass reads what the slot was given.
    private static Tensor Into(Tensor target, Func<Tensor, Tensor> run)
    {
        using var before = target.clone();
        using var sum = run(before);
        target.copy_(sum);
        return target;
    }

    /// <summary>Attaches prefixes through the slot of an attention site; see <see cref="Attention.Attach"/>.</summary>
    public static (Tensor k, Tensor v, Tensor? mask) attach(
        this AttentionSlot? slot, ForwardContext context, Tensor x, Tensor q, Tensor k, Tensor v, Tensor? mask) =>
        slot is null ? (k, v, mask) : slot.forward(context, x, q, k, v, mask);

    /// <summary>Attends through the slot of an attention site: <c>scaled_dot_product_attention</c>, with what the slot attaches.</summary>
    /// <param name="slot">The slot; null: the base alone.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="x">The attention's input, <c>[batch, tokens, dim]</c>.</param>
    /// <param name="query">As the function's own, like all that follow.</param>
    /// <param name="key">See <paramref name="query"/>.</param>
    /// <param name="value">See <paramref name="query"/>.</param>
    /// <param name="attn_mask">See <paramref name="query"/>.</param>
    /// <param name="p">See <paramref name="query"/>.</param>
    /// <param name="is_casual">See <paramref name="query"/>.</param>
    public static Tensor attend(
        this AttentionSlot? slot, ForwardContext context, Tensor x, Tensor query, Tensor key, Tensor value, Tensor? attn_mask = null, double p = 0.0, bool is_casual = false)
    {
        if (slot is null)
            return nn.functional.scaled_dot_product_attention(query, key, value, attn_mask, p, is_casual);
        using var own = is_casual ? Causal(query, key) : attn_mask is { dtype: ScalarType.Bool } ? Additive(attn_mask, query.dtype) : null;
        var (k, v, mask) = slot.forward(context, x, query, key, value, own ?? attn_mask);
        return nn.functional.scaled_dot_product_attention(query, k, v, mask, p);
    }

    private static Tensor Causal(Tensor query, Tensor key)
    {
        using var all = ones([query.shape[2], key.shape[2]], ScalarType.Bool, query.device);
        using var seen = all.tril();
        return Additive(seen, query.dtype);
    }

    private static Tensor Additive(Tensor seen, ScalarType dtype)
    {
        using var hidden = seen.logical_not();
        return zeros(seen.shape, dtype, seen.device).masked_fill_(hidden, double.NegativeInfinity);
    }

    /// <summary>Runs what a module returned through the slot of its output.</summary>
    /// <param name="slot">The slot; null: the output as it is.</param>
    /// <param name="context">The context of the root's call.</param>
    /// <param name="output">What the module returned; it is disposed where a slot makes a new one of it.</param>
    /// <returns>A tensor that the caller owns.</returns>
    public static Tensor leave(this OutputSlot? slot, ForwardContext context, Tensor output)
    {
        if (slot is null)
            return output;
        using (output)
            return slot.forward(context, output);
    }

    /// <summary>Shows the slot of the root's inputs a call before the model sees it.</summary>
    /// <param name="slot">The slot; null: nothing is changed.</param>
    /// <param name="context">The context of the call, with the inputs by role.</param>
    // Not called as the slot's own methods are: those would hide them, and fail where a group has no such slot.
    public static void begin(this InputSlot? slot, ForwardContext context) => slot?.enter(context);

    /// <summary>Runs what the root returned through the slot of its inputs.</summary>
    /// <inheritdoc cref="leave(OutputSlot?, ForwardContext, Tensor)"/>
    public static Tensor end(this InputSlot? slot, ForwardContext context, Tensor output)
    {
        if (slot is null)
            return output;
        var left = slot.leave(context, output);
        if (!ReferenceEquals(left, output))
            output.Dispose();
        return left;
    }
}
