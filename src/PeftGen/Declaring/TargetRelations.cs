namespace PeftGen;

/// <summary>On a property of a method that lists targets: they have to be among the sites of another property; others are an error at compile time.</summary>
/// <param name="targets">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class WithinAttribute(string targets) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;

    /// <summary>Whether they have to be whole layers there, and no parts of fused ones.</summary>
    public bool Whole { get; set; }
}

/// <summary>On a property of a method that lists targets to leave out of another property, or numbers of blocks; one that leaves out nothing is a warning.</summary>
/// <param name="targets">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class LeavesOutAttribute(string targets) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;
}

/// <summary>On a property of a method that lists numbers of blocks: sites of another property are in these alone. A number that the model has not is a warning.</summary>
/// <param name="targets">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class BlocksAttribute(string targets) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;

    /// <summary>Whether the numbers are those in paths, which begin anew in each stack of blocks. Default: blocks are counted through the model.</summary>
    public bool ByIndex { get; set; }
}

/// <summary>On a property of a method that gives numbers by path, <c>down_proj=6, layers.0.self_attn.q_proj=2</c>, to sites of another property: malformed ones are an error, and those that meet none a warning.</summary>
/// <param name="targets">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class PatternAttribute(string targets) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;

    /// <summary>Whether the keys are numbers of blocks and no paths.</summary>
    public bool ByBlock { get; set; }
}

/// <summary>On a property of a method: where it is set, only some of the layers can carry the method that could without it; others among the sites of another property are an error.</summary>
/// <remarks>On a property that lists targets <see cref="WithinAttribute">within</see> the other it is these that are meant.</remarks>
/// <param name="targets">The name of the other property.</param>
/// <param name="hosts">The built-in layers that can carry it.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class NeedsHostsAttribute(string targets, params Type[] hosts) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;

    /// <summary>The built-in layers that can carry it.</summary>
    public IReadOnlyList<Type> Hosts { get; } = hosts;
}

/// <summary>On a property of a method: what it says has to fit what the layers among the sites of another property are made with; it is an error where that is a constant and does not.</summary>
/// <param name="targets">The name of the other property.</param>
/// <param name="relation">How it has to fit.</param>
/// <param name="argument">The name of the argument that the layers are made with: <c>groups</c>.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class FitsAttribute(string targets, Fit relation, string argument) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;

    /// <summary>How it has to fit.</summary>
    public Fit Relation { get; } = relation;

    /// <summary>The name of the argument.</summary>
    public string Argument { get; } = argument;

    /// <summary>The name of a property that, where it is set, gives some layers another number, so that nothing is known; null: there is none.</summary>
    public string? Unless { get; set; }
}

/// <summary>How a number has to fit an argument that a layer is made with.</summary>
public enum Fit
{
    /// <summary>It is a multiple of it.</summary>
    Multiple,

    /// <summary>It, or each of several, is less.</summary>
    Below,
}

/// <summary>On a number of a method: it has to divide the width of the states at its residual sites, and that width when it is reduced; it is an error where the sizes are constants and it does not.</summary>
/// <param name="reduction">The name of the property by which the width is divided and rounded down.</param>
/// <param name="default">The number where a declaration does not give it.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class DividesWidthAttribute(string reduction, int @default) : Attribute
{
    /// <summary>The name of the property by which the width is divided.</summary>
    public string Reduction { get; } = reduction;

    /// <summary>The number where a declaration does not give it.</summary>
    public int Default { get; } = @default;

    /// <summary>The name of a property that, where it is set, gives some sites another reduction; null: there is none.</summary>
    public string? Unless { get; set; }
}

/// <summary>On a constructor parameter of a method: more than a layer's smaller size is of no use, so it is a warning where that size is a constant.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class BoundedBySizeAttribute : Attribute;
