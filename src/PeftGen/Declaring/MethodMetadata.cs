namespace PeftGen;

/// <summary>Tells the compiler that a property of a method names sites.</summary>
/// <remarks>
/// On a <c>string</c> property the value is a list of targets. On a property of another type the sites are
/// <see cref="Targets"/>, wanted if the value differs from its default (false, null, the first member of an enum).
/// On an enum's member: wanted if the property has that value.
/// </remarks>
/// <param name="kind">The kind of site that the targets become.</param>
[AttributeUsage(AttributeTargets.Property | AttributeTargets.Field, AllowMultiple = true)]
public sealed class AdaptsAttribute(SiteKind kind) : Attribute
{
    /// <summary>The kind of site.</summary>
    public SiteKind Kind { get; } = kind;

    /// <summary>The built-in layers that can carry the method; empty: any.</summary>
    public Type[] Hosts { get; set; } = [];

    /// <summary>Whether the method can act on parts of fused layers, <c>c_attn[q,v]</c>.</summary>
    public bool TakesParts { get; set; }

    /// <summary>The targets where the property's value is not itself a list of targets.</summary>
    public string? Targets { get; set; }

    /// <summary>Whether it is no mistake if a target matches nothing (PEFT's <c>modules_to_save</c> may name heads that this model lacks). Of a list that the user wrote at least one has to match.</summary>
    public bool Optional { get; set; }

    /// <summary>What a group has one of at a place, in a word or two: <c>prompt</c>. Two declarations of a group that name the same at one place are an error. Null: several may meet there. The claim says it, too, see <see cref="Claim.Exclusive"/>.</summary>
    public string? Exclusive { get; set; }

    /// <summary>For inputs: those that a method of the model has to take, since slots replace them; a model without is an error.</summary>
    public InputRole[] Inputs { get; set; } = [];

    /// <summary>A role of <see cref="RoleTable"/> that a layer at or around the site has to have, since the method reads its sizes; sites without any layer that could be it are an error. Null: none.</summary>
    public string? Needs { get; set; }

    /// <summary>The name of a property that, where it is set, says what the layer of <see cref="Needs"/> would show. Null: there is none.</summary>
    public string? NeedsUnless { get; set; }

    /// <summary>Whether a group has only one place for what <see cref="Exclusive"/> names, so that targets that mean two are an error.</summary>
    public bool Single { get; set; }

    /// <summary>Whether what merging writes into a weight is meant for every layer that has it, so that a tie is no obstacle.</summary>
    public bool MergesForAll { get; set; }
}

/// <summary>The numbers that a constructor parameter or property of a method may have, or each of a list or a pattern of them; others are an error at compile time.</summary>
/// <param name="min">The smallest value, included.</param>
/// <param name="max">The largest value, included.</param>
[AttributeUsage(AttributeTargets.Parameter | AttributeTargets.Property)]
public sealed class InRangeAttribute(double min, double max) : Attribute
{
    /// <summary>The smallest value, included.</summary>
    public double Min { get; } = min;

    /// <summary>The largest value, included.</summary>
    public double Max { get; } = max;
}

/// <summary>On a <c>bool</c> property of a method: when it is true, adapters cannot be merged, so no merge is emitted.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PreventsMergeAttribute : Attribute;

/// <summary>On a property of a method that names modules: they train whole, so no layer of theirs is adapted besides. Targets that mean one are pointed out.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class TrainsWholeAttribute : Attribute;

/// <summary>On a method: whether it can share a site with another method of its group. Without it: it can.</summary>
/// <param name="composes">Whether it can.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ComposesAttribute(bool composes) : Attribute
{
    /// <summary>Whether the method can share a site.</summary>
    public bool Composes { get; } = composes;
}

/// <summary>On a method: whether its adapters can be merged at all. Without it: they can.</summary>
/// <param name="merges">Whether they can.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class MergesAttribute(bool merges) : Attribute
{
    /// <summary>Whether adapters can be merged.</summary>
    public bool Merges { get; } = merges;
}
