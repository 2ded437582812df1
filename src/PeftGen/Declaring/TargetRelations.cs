namespace PeftGen;

/// <summary>On a property of a method that lists targets: they have to be among the sites of another property; others are an error at compile time.</summary>
/// <param name="targets">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class WithinAttribute(string targets) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;
}

/// <summary>On a property of a method that lists targets to leave out of another property, or numbers of blocks; a target that leaves out nothing is a warning.</summary>
/// <param name="targets">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class LeavesOutAttribute(string targets) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;
}

/// <summary>On a property of a method that lists numbers of blocks: sites of another property are in these alone.</summary>
/// <param name="targets">The name of the other property.</param>
[AttributeUsage(AttributeTargets.Property)]
public sealed class BlocksAttribute(string targets) : Attribute
{
    /// <summary>The name of the other property.</summary>
    public string Targets { get; } = targets;
}

/// <summary>On a constructor parameter of a method: more than a layer's smaller size is of no use, so it is a warning where that size is a constant.</summary>
[AttributeUsage(AttributeTargets.Parameter)]
public sealed class BoundedBySizeAttribute : Attribute;
