namespace PeftGen;

/// <summary>The path that a field has in checkpoints, where it differs from the field's name: <c>[Name("self_attn.q_proj")]</c>.</summary>
/// <param name="path">The path, relative to the class that declares the field.</param>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class NameAttribute(string path) : Attribute
{
    /// <summary>The path, relative to the class that declares the field.</summary>
    public string Path { get; } = path;
}

/// <summary>
/// A linear layer that is several in one: <c>[Fused("q", "k", "v")]</c>. Targets then can mean parts of it, <c>c_attn[q,v]</c>, also by role.
/// </summary>
/// <remarks>The parts are of equal size and lie one behind the other. What families call so is known without it, see <see cref="FusedTable"/>.</remarks>
/// <param name="parts">The parts' names, in the order of the layer's outputs.</param>
[AttributeUsage(AttributeTargets.Field | AttributeTargets.Property)]
public sealed class FusedAttribute(params string[] parts) : Attribute
{
    /// <summary>The parts' names, in the order of the layer's outputs.</summary>
    public IReadOnlyList<string> Parts { get; } = parts;
}

/// <summary>
/// A block whose call through an adapter can be computed again in the backward pass, so that what it computes inside need not be kept: switched on by
/// <see cref="AdapterNode.GradientCheckpointing"/>.
/// </summary>
/// <remarks>
/// The block's <c>forward</c> returns one tensor and takes tensors and plain values. It runs twice, with the same random numbers. Where it is given another object that may be null,
/// such as a cache of keys and values, it runs once, as always.
/// </remarks>
[AttributeUsage(AttributeTargets.Class)]
public sealed class GradientCheckpointingAttribute : Attribute;

/// <summary>What a parameter of a root's forward is, where its name does not tell.</summary>
/// <param name="role">The role.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property | AttributeTargets.Field)]
public sealed class InputAttribute(InputRole role) : Attribute
{
    /// <summary>The role.</summary>
    public InputRole Role { get; } = role;
}

/// <summary>What the inputs of a model are to the slots that need them.</summary>
public enum InputRole
{
    /// <summary>Token ids <c>[batch, tokens]</c>; by name <c>input_ids</c>, <c>token_ids</c>, <c>tokens</c>, <c>ids</c>, <c>idx</c>, in any spelling (<c>inputIds</c>), as for the others.</summary>
    InputIds,

    /// <summary>1 at real tokens, 0 at padding, <c>[batch, tokens]</c>; by name <c>attention_mask</c>, <c>padding_mask</c>, <c>mask</c>.</summary>
    AttentionMask,

    /// <summary>Positions <c>[batch, tokens]</c>; by name <c>position_ids</c>.</summary>
    PositionIds,

    /// <summary>Labels; by name <c>labels</c>.</summary>
    Labels,

    /// <summary>The number of each row's task, <c>[batch]</c>; by name <c>task_ids</c>.</summary>
    TaskIds,

    /// <summary>The segment of each token, <c>[batch, tokens]</c>; by name <c>token_type_ids</c>, <c>segment_ids</c>.</summary>
    TokenTypeIds,

    /// <summary>What a decoder is fed that reads an encoder's output, <c>[batch, output tokens]</c>; by name <c>decoder_input_ids</c>.</summary>
    DecoderInputIds,

    /// <summary>What an encoder returned before, so that it does not run again; by name <c>encoder_outputs</c>, <c>encoded</c>.</summary>
    EncoderOutputs,
}
