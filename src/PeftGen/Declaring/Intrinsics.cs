using TorchSharp;

namespace PeftGen;

/// <summary>Marks a method that is an identity in the base and a site in a compiled body.</summary>
/// <param name="kind">The kind of site.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class IntrinsicAttribute(SiteKind kind) : Attribute
{
    /// <summary>The kind of site.</summary>
    public SiteKind Kind { get; } = kind;
}

/// <summary>Where a sub-layer's output meets its residual, for code in which the compiler cannot see it.</summary>
public static class Residual
{
    /// <summary><c>h + r</c>; in compiled code the residual site.</summary>
    /// <param name="h">The sub-layer's output, <c>[batch, tokens, dim]</c>.</param>
    /// <param name="r">The residual, <c>[batch, tokens, dim]</c>.</param>
    [Intrinsic(SiteKind.Residual)]
    public static torch.Tensor Add(torch.Tensor h, torch.Tensor r) => h + r;
}

/// <summary>Where keys and values enter attention, for code in which the compiler cannot see it.</summary>
public static class Attention
{
    /// <summary>Returns keys, values and mask as they are; in compiled code the attention site, where prefixes are put in front.</summary>
    /// <param name="x">The attention's input, <c>[batch, tokens, dim]</c>.</param>
    /// <param name="q">Queries <c>[batch, heads, tokens, head_dim]</c>.</param>
    /// <param name="k">Keys <c>[batch, kv_heads, keys, head_dim]</c>, after rotary embedding and cache.</param>
    /// <param name="v">Values, as the keys.</param>
    /// <param name="mask">Additive mask, broadcastable to <c>[batch, heads, tokens, keys]</c>; null: none.</param>
    /// <returns>Keys, values and mask to attend with. Those that are new belong to the call's context and need no disposal.</returns>
    [Intrinsic(SiteKind.Attention)]
    public static (torch.Tensor k, torch.Tensor v, torch.Tensor? mask) Attach(
        torch.Tensor x, torch.Tensor q, torch.Tensor k, torch.Tensor v, torch.Tensor? mask) => (k, v, mask);

    /// <summary>Returns the positions of tokens as they are; in compiled code a method may move them, as HF PEFT's prefix tuning does: the prefix takes the first positions.</summary>
    /// <param name="positions">The positions that the model computed for its tokens, before they are embedded or turned into angles.</param>
    /// <returns>The positions to use. Those that are new belong to the call's context and need no disposal.</returns>
    [Intrinsic(SiteKind.Input)]
    public static torch.Tensor Positions(torch.Tensor positions) => positions;

    /// <summary>
    /// As <see cref="Positions(torch.Tensor)"/>, for models in which positions are distances between queries and keys: returns the positions of the queries as they are, as the last
    /// of the keys; in compiled code a method may leave them where they are without the keys in front, as AdapterHub's prefix tuning does.
    /// </summary>
    /// <param name="positions">The positions of the queries among all keys.</param>
    /// <param name="added">The number of keys that <see cref="Attach"/> put in front.</param>
    /// <returns>The positions to use. Those that are new belong to the call's context and need no disposal.</returns>
    [Intrinsic(SiteKind.Input)]
    public static torch.Tensor Positions(torch.Tensor positions, long added) => positions;
}
